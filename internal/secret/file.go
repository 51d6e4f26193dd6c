package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LoadOrCreate returns the secret in the file at path. If the file does not exist, it is created with a new secret and
// mode 0600. The file appears complete or not at all, so several servers that start at once get the same secret. A file
// that other users have access to is an error (KE-03).
func LoadOrCreate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: other users have access to it; run: chmod 600 %s", path, path)
	}
	b, err := os.ReadFile(path)
	return bytes.TrimRight(b, "\r\n"), err
}

func create(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // has mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a left temporary file does no harm
	_, err = f.Write(append(Generate(), '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Syncing the directory makes the name survive a power cut. Without the secret, everything sealed would be lost.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
