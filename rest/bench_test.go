package rest

import "testing"

// BenchmarkStart measures the work of a start on the built-in dialects.
func BenchmarkStart(b *testing.B) {
	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			if _, err := Load("", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	all, err := Load("", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			if _, err := engine(all...); err != nil {
				b.Fatal(err)
			}
		}
	})
}
