//go:build unix

package password

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// processorTime is how long the process was running, in seconds.
func processorTime() float64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// BenchmarkBounds measures the most expensive hashes that are accepted, with a password of 12 bytes and of 256.
func BenchmarkBounds(b *testing.B) {
	const salt, sum = "c2l4dGVlbiBieXRlcyBvaw", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
	for _, text := range []string{
		"$2b$14$abcdefghijklmnopqrstuuO.T0xOeEVlIVLtbq1WcmDPYbl/LUdPy",
		"$argon2id$v=19$m=262144,t=4,p=1$" + salt + "$" + sum,
		"$argon2d$v=19$m=262144,t=4,p=1$" + salt + "$" + sum,
		"$argon2i$v=19$m=52428,t=20,p=16$" + salt + "$" + sum,
		"$scrypt$ln=17,r=8,p=2$" + salt + "$" + sum,
		fmt.Sprintf("$pbkdf2$%d$%s$%s", maxPBKDF2SHA1/2, salt, sum),
		fmt.Sprintf("$pbkdf2-sha256$%d$%s$%s", maxPBKDF2SHA256, salt, sum),
		fmt.Sprintf("$pbkdf2-sha512$%d$%s$%s", maxPBKDF2SHA512, salt, sum),
		fmt.Sprintf("$5$rounds=%d$salt$%s", maxRounds, strings.Repeat(".", 43)),
		fmt.Sprintf("$6$rounds=%d$salt$%s", maxRounds, strings.Repeat(".", 86)),
		"$P$G12345678" + strings.Repeat(".", 22),
	} {
		h, err := parse(text)
		if err != nil {
			b.Fatal(text, err)
		}
		for _, length := range []int{12, 376, 1024} {
			b.Run(fmt.Sprintf("%s/%d", h.kind, length), func(b *testing.B) {
				began := processorTime()
				for b.Loop() {
					h.derive([]byte(strings.Repeat("x", length)))
				}
				b.ReportMetric((processorTime()-began)/float64(b.N), "cpu-s/op")
			})
		}
	}
}
