package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/rest"
)

// LoadFiles reads the files of the operator: the dialects, as LoadDialects does, and the mail templates. The error
// names the file or the setting.
func LoadFiles(settings *config.Settings, further ...*rest.Dialect) ([]*rest.Dialect, *mail.Templates, error) {
	dialects, err := LoadDialects(settings, further...)
	if err != nil {
		return nil, nil, err
	}
	const setting = "DRAGOMAN_MAIL_TEMPLATES"
	if dir := settings.MailTemplates; dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, nil, &config.Error{
				Name: setting, Value: dir, Want: "the path of a directory with templates of mails: see docs/mail.md",
			}
		}
	}
	templates, err := mail.Load(settings.MailTemplates)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", setting, err)
	}
	return dialects, templates, nil
}

// LoadDialects reads the dialects of the settings and adds further ones. An unusable setting gives a *config.Error, an
// unusable file a *rest.Fault.
func LoadDialects(settings *config.Settings, further ...*rest.Dialect) ([]*rest.Dialect, error) {
	if err := CheckDialectsDir(settings.DialectsDir); err != nil {
		return nil, err
	}
	dialects, err := rest.Load(settings.DialectsDir, settings.Dialects, further...)
	if unknown, ok := errors.AsType[*rest.UnknownError](err); ok {
		return nil, &config.Error{
			Name: "DRAGOMAN_DIALECTS", Value: unknown.Name,
			Want: "all, none, or some of " + strings.Join(unknown.Known, ","),
		}
	}
	return dialects, err
}

// CheckDialectsDir refuses a directory without dialect files with a *config.Error; "" stands for no directory.
func CheckDialectsDir(dir string) error {
	if dir == "" {
		return nil
	}
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); ext == ".yaml" || ext == ".yml" {
			return nil
		}
	}
	return &config.Error{
		Name: "DRAGOMAN_DIALECTS_DIR", Value: dir, Want: "the path of a directory with dialect files (*.yaml, *.yml)",
	}
}
