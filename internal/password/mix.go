package password

import (
	"encoding/binary"
	"math"
)

// Mix says how the hashes of the accounts with a password are made, while some are of another system.
type Mix struct {
	Foreign float64   // the part of the accounts whose hash is none of ours, from 0 to 1
	Kinds   []MixKind // of these; without any, Foreign counts as 0
}

// MixKind is one kind of the hashes of other systems.
type MixKind struct {
	Dummy  string // Foreign.Dummy
	Weight int64  // how many hashes there are of this kind, against those of the others
}

// mix is a Mix with its dummies parsed.
type mix struct {
	foreign float64
	dummies []stored
	weights []float64
	total   float64
}

// SetMix sets the hashes that accounts have, which VerifyNamed imitates from now on. A kind that this version does not
// read is not imitated.
func (h *Hasher) SetMix(m Mix) {
	next := &mix{foreign: m.Foreign}
	for _, k := range m.Kinds {
		if dummy, err := parse(k.Dummy); err == nil {
			next.dummies = append(next.dummies, dummy)
			next.weights = append(next.weights, float64(k.Weight))
			next.total += float64(k.Weight)
		}
	}
	h.mix.Store(next)
}

// dummy returns the dummy of another system that a name verifies, and false for a name that verifies one of ours. As
// accounts leave the other systems, names do, each of them once.
func (m *mix) dummy(name [16]byte) (stored, bool) {
	if m == nil || m.total <= 0 || share(name[:8]) >= m.foreign {
		return stored{}, false
	}
	at := share(name[8:]) * m.total
	for i, weight := range m.weights {
		if at -= weight; at < 0 {
			return m.dummies[i], true
		}
	}
	return m.dummies[len(m.dummies)-1], true
}

// share is 8 bytes as a number from 0 up to 1.
func share(b []byte) float64 { return float64(binary.BigEndian.Uint64(b)>>11) / math.Exp2(53) }
