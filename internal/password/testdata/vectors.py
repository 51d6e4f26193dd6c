# Makes vectors.json: password hashes by implementations that share no code with ours. Run, on Debian 12:
#
#   apt-get install python3-passlib python3-bcrypt argon2 openssl
#   python3 -W ignore vectors.py > vectors.json
#
# passlib, with the bcrypt package, writes most of them; crypt(3) of libxcrypt those that passlib does not; the argon2
# program is the reference implementation; hashlib is OpenSSL's. Salts are fixed, so that a second run writes the same.
import base64, crypt, hashlib, hmac, json, subprocess
from passlib import hash as h

out = []
b64 = lambda b: base64.b64encode(b).decode()
SALT = b"sixteen bytes ok"
WORDS = ["correct horse", "cafe\u0301 \u00a3\u20ac", "x" * 100]  # ASCII; not in NFC, beyond Latin-1; longer than 72


def add(system, text, password, kind, wrong=None):
    out.append(dict(system=system, text=text, password=password, kind=kind, wrong=wrong or password + "!"))


for w in WORDS:
    long = len(w.encode()) > 72
    for ident in ("2a", "2b", "2y"):
        hashed = h.bcrypt.using(rounds=5, ident=ident, salt="abcdefghijklmnopqrstuu", truncate_error=False).hash(w)
        add("bcrypt " + ident, hashed, w, "bcrypt 5", w[:71] if long else None)
    add("bcrypt 2x, libxcrypt", crypt.crypt(w, "$2x$04$abcdefghijklmnopqrstuu"), w, "bcrypt 4", w[:71] if long else None)
    add("Django bcrypt_sha256", h.django_bcrypt_sha256.using(rounds=5, salt="abcdefghijklmnopqrstuu").hash(w), w, "bcrypt-sha256 5")
    add("Django bcrypt", h.django_bcrypt.using(rounds=5, salt="abcdefghijklmnopqrstuu").hash(w), w, "bcrypt 5", w[:71] if long else None)
    mac = b64(hmac.digest(b"wp-sha384", w.strip().encode(), "sha384"))
    add("WordPress 6.8", "$wp" + h.bcrypt.using(rounds=5, ident="2y", salt="abcdefghijklmnopqrstuu").hash(mac), w, "bcrypt-wordpress 5")
    add("WordPress, phpass", h.phpass.using(rounds=8, salt="abcdefgh").hash(w), w, "phpass 8")
    add("phpBB, phpass", h.phpass.using(rounds=11, salt="abcdefgh", ident="$H$").hash(w), w, "phpass 11")
    for scheme in ("ldap_salted_sha1", "ldap_salted_sha256", "ldap_salted_sha512"):
        name = {"1": "ssha", "6": "ssha256", "2": "ssha512"}[scheme[-1]]
        add("LDAP", getattr(h, scheme).using(salt=SALT[:8]).hash(w), w, name)
    for rounds in (1000, 5000, 5001):
        add("SHA-crypt", h.sha256_crypt.using(rounds=rounds, salt="abcdefgh./012345").hash(w), w, "sha256-crypt %d" % rounds)
        add("SHA-crypt", h.sha512_crypt.using(rounds=rounds, salt="abc").hash(w), w, "sha512-crypt %d" % rounds)
    add("SHA-crypt, libxcrypt", crypt.crypt(w, "$6$rounds=1234$somesalt$"), w, "sha512-crypt 1234")
    add("SHA-crypt, libxcrypt", crypt.crypt(w, "$5$somesalt$"), w, "sha256-crypt 5000")
    add("LDAP, SHA-crypt", "{crypt}" + crypt.crypt(w, "$6$somesalt$"), w, "sha512-crypt 5000")
    for scheme, name in (("pbkdf2_sha1", "sha1"), ("pbkdf2_sha256", "sha256"), ("pbkdf2_sha512", "sha512")):
        add("passlib", getattr(h, scheme).using(rounds=1234, salt=SALT).hash(w), w, "pbkdf2-%s 1234" % name)
        for length in (16, 64, 512):
            key = hashlib.pbkdf2_hmac(name, w.encode(), SALT, 100, length)
            blocks = -(-length // hashlib.new(name).digest_size)
            text = "$pbkdf2-%s$i=100,l=%d$%s$%s" % (name, length, b64(SALT).rstrip("="), b64(key).rstrip("="))
            add("PHC", text, w, "pbkdf2-%s 100%s" % (name, " x%d" % blocks if blocks > 1 else ""))
    add("Django", h.django_pbkdf2_sha256.using(rounds=1234, salt="abcdefgh0123").hash(w), w, "pbkdf2-sha256 1234")
    add("Django", h.django_pbkdf2_sha1.using(rounds=1234, salt="abcdefgh0123").hash(w), w, "pbkdf2-sha1 1234")
    for ln, r, p in ((4, 8, 1), (10, 8, 2), (8, 1, 4)):
        add("passlib", h.scrypt.using(rounds=ln, block_size=r, parallelism=p, salt=SALT).hash(w), w, "scrypt ln=%d,r=%d,p=%d" % (ln, r, p))
    key = hashlib.scrypt(w.encode(), salt=b"abcdefgh0123", n=1024, r=8, p=5, dklen=64)
    add("Django", "scrypt$1024$abcdefgh0123$8$5$" + b64(key), w, "scrypt ln=10,r=8,p=5")
    for option, variant in (("-id", "argon2id"), ("-i", "argon2i"), ("-d", "argon2d")):
        for m, t, p, length in ((64, 1, 1, 16), (256, 3, 1, 32), (256, 2, 4, 64)):
            command = ["argon2", SALT.decode(), option, "-t", str(t), "-k", str(m), "-p", str(p), "-l", str(length), "-e"]
            text = subprocess.run(command, input=w.encode(), capture_output=True, check=True).stdout.decode().strip()
            add("argon2", text, w, "%s m=%d,t=%d,p=%d" % (variant, m, t, p))
    add("Django", "argon2" + text, w, "argon2d m=256,t=2,p=4")
    signer = bytes(range(64))
    key = hashlib.scrypt(w.encode(), salt=SALT + b"\x07", n=256, r=8, p=1, dklen=32)
    encrypt = ["openssl", "enc", "-aes-256-ctr", "-K", key.hex(), "-iv", "00" * 16]
    text = b64(subprocess.run(encrypt, input=signer, capture_output=True, check=True).stdout)
    add("GoTrue, Firebase", "$fbscrypt$v=1,n=8,r=8,p=1,ss=Bw==,sk=%s$%s$%s" % (b64(signer), b64(SALT), text), w, "fbscrypt n=8,r=8,p=1")
    for name, key, length in (("pbkdf2", "sha1", 64), ("pbkdf2-sha256", "sha256", 64), ("pbkdf2-sha512", "sha512", 64)):
        value = b64(hashlib.pbkdf2_hmac(key, w.encode(), SALT, 275, length))
        blocks = -(-length // hashlib.new(key).digest_size)
        kind = "pbkdf2-%s 275%s" % (key, " x%d" % blocks if blocks > 1 else "")
        data = dict(hashIterations=275, algorithm=name, additionalParameters={})
        secret = dict(value=value, salt=b64(SALT), additionalParameters={})
        new = dict(id="7c1", type="password", createdDate=1, secretData=json.dumps(secret), credentialData=json.dumps(data))
        add("Keycloak", json.dumps(new), w, kind)
        old = dict(type="password", hashedSaltedValue=value, salt=b64(SALT), hashIterations=275, counter=0, algorithm=name, digits=0)
        add("Keycloak 4", json.dumps(old), w, kind)
    command = ["argon2", SALT.decode(), "-id", "-t", "5", "-k", "708", "-p", "1", "-l", "32", "-r"]
    raw = subprocess.run(command, input=w.encode(), capture_output=True, check=True).stdout.decode().strip()
    more = dict(hashLength=["32"], memory=["708"], type=["id"], version=["1.3"], parallelism=["1"])
    data = dict(hashIterations=5, algorithm="argon2", additionalParameters=more)
    secret = dict(value=b64(bytes.fromhex(raw)), salt=b64(SALT), additionalParameters={})
    new = dict(type="password", secretData=json.dumps(secret), credentialData=json.dumps(data))
    add("Keycloak 24", json.dumps(new), w, "argon2id m=708,t=5,p=1")

# The example of github.com/firebase/scrypt.
add(
    "Firebase's own example",
    "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
    "user1password", "fbscrypt n=14,r=8,p=1")
print(json.dumps(out, indent=0, ensure_ascii=True))
