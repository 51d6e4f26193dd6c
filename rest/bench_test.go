package rest

import "testing"

// BenchmarkStart is what a start does with the dialects that come with the server.
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
