// Checks access tokens of Dragoman the way a backend of yours does: offline, by the published keys. It needs Node and nothing
// else. Copy what you need; docs/operations.md says what such a check can not know.
//
//   node verify.mjs https://auth.example.com < tokens, one a line
import { createPublicKey, verify } from 'node:crypto'
import { createInterface } from 'node:readline'

// The algorithms that Dragoman signs with and publishes keys for. Never take the algorithm from the token alone.
const algorithms = {
  ES256: { kty: 'EC', hash: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
  EdDSA: { kty: 'OKP', hash: null, options: {} },
  RS256: { kty: 'RSA', hash: 'sha256', options: {} },
}
const leeway = 5 // seconds

export class Checker {
  #keys = []
  #asked = 0
  #reading // what several checks wait for together

  constructor({ issuer, audience, keysURL }) {
    Object.assign(this, { issuer, audience, keysURL })
  }

  // The claims of a token that counts; an error says why one does not.
  async check(text) {
    const parts = text.split('.')
    if (parts.length !== 3) throw new Error('not a token')
    const [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
    const algorithm = Object.hasOwn(algorithms, header.alg) ? algorithms[header.alg] : null
    if (!algorithm || header.typ !== 'at+jwt' || header.crit) throw new Error('not an access token') // RFC 9068, section 4
    const jwk = await this.#key(header.kid)
    if (!jwk || jwk.kty !== algorithm.kty) throw new Error('signed with an unknown key')
    const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), ...algorithm.options }
    const signed = Buffer.from(`${parts[0]}.${parts[1]}`)
    if (!verify(algorithm.hash, signed, key, Buffer.from(parts[2], 'base64url'))) throw new Error('the signature is wrong')
    const now = Date.now() / 1000
    if (claims.iss !== this.issuer) throw new Error('from another issuer')
    if (![claims.aud].flat().includes(this.audience)) throw new Error('for another audience')
    if (typeof claims.exp !== 'number' || claims.exp + leeway <= now) throw new Error('over')
    if (claims.nbf !== undefined && !(claims.nbf - leeway <= now)) throw new Error('not yet')
    if (!claims.sub) throw new Error('without owner')
    return claims
  }

  // A published key. They are read again after five minutes, and for a key that is not among them: at most once in ten
  // seconds, so that nobody makes you ask for each token. Where they can not be read, those of before count on.
  async #key(kid) {
    const find = () => this.#keys.find((key) => key.kid === kid)
    const age = Date.now() - this.#asked
    if (age > (find() ? 300_000 : 10_000)) {
      this.#asked = Date.now()
      this.#reading = this.#fetch()
    }
    try {
      await this.#reading
    } catch (error) {
      if (!find()) throw error
    }
    return find()
  }

  async #fetch() {
    const response = await fetch(this.keysURL, { signal: AbortSignal.timeout(5000) })
    if (!response.ok) throw new Error(`the keys: ${response.status}`)
    this.#keys = (await response.json()).keys
  }
}

const server = process.argv[2]
const checker = new Checker({ issuer: server, audience: server, keysURL: `${server}/.well-known/jwks.json` })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const claims = await checker.check(line)
    console.log('ok:', claims.sub, claims.roles)
  } catch (error) {
    console.log('refused:', error.message)
  }
}
