package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/custsync/custsync/internal/intake"
)

// Suffix is what a progress file is called beside its input.
const Suffix = ".custsync-progress"

// Progress keeps how far a job is in a small file, which is gone when the job is
// done. A nil Progress keeps nothing.
type Progress struct {
	Path  string
	Input Fingerprint
	// Settings stand for all that decides what the input's lines become, and where
	// they go. Under others, what was stored is no use.
	Settings string

	saved state
	why   string
}

// Fingerprint tells one content of a file from another.
type Fingerprint struct {
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mtime"`
	Head    string    `json:"head"` // hash of the first bytes
}

// TakeFingerprint reads the start of a file.
func TakeFingerprint(f *os.File) (Fingerprint, error) {
	info, err := f.Stat()
	if err != nil {
		return Fingerprint{}, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, 64<<10)); err != nil {
		return Fingerprint{}, err
	}
	return Fingerprint{Size: info.Size(), ModTime: info.ModTime().UTC(), Head: hex.EncodeToString(h.Sum(nil))}, nil
}

// state is how far a job is: all before At has come to its end.
type state struct {
	At           intake.Position `json:"at"`
	AsOf         time.Time       `json:"as_of"`
	Encoding     intake.Encoding `json:"encoding,omitempty"`
	Totals       Totals          `json:"totals"`
	RefusedBytes int64           `json:"refused_bytes"`
}

// progressFile is what the file holds.
type progressFile struct {
	Format   int         `json:"format"`
	Input    Fingerprint `json:"input"`
	Settings string      `json:"settings"`
	State    state       `json:"state"`
}

const progressFormat = 1

// Resumes reports from which line on the job goes on, 0 if it starts anew; why
// says so where there is a file that does not fit.
func (p *Progress) Resumes() (line int, why string, err error) {
	s, err := p.load()
	if err != nil || s == nil {
		return 0, p.why, err
	}
	return s.At.Line + 1, "", nil
}

// load returns nil where there is nothing to go on from.
func (p *Progress) load() (*state, error) {
	if p == nil {
		return nil, nil
	}
	data, err := os.ReadFile(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	var f progressFile
	switch {
	case json.Unmarshal(data, &f) != nil || f.Format != progressFormat:
		p.why = "the progress file can't be read"
	case f.Input.Size != p.Input.Size || !f.Input.ModTime.Equal(p.Input.ModTime) || f.Input.Head != p.Input.Head:
		p.why = "the file has changed"
	case f.Settings != p.Settings:
		p.why = "the server or the settings are others"
	default:
		return &f.State, nil
	}
	return nil, nil
}

// save replaces the file as a whole, so that a kill leaves the old or the new one.
func (p *Progress) save(s *state) error {
	if p == nil || *s == p.saved {
		return nil
	}
	data, err := json.Marshal(progressFile{progressFormat, p.Input, p.Settings, *s})
	if err != nil {
		return fmt.Errorf("write progress: %w", err)
	}
	next := p.Path + ".new"
	if err := os.WriteFile(next, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write progress: %w", err)
	}
	if err := os.Rename(next, p.Path); err != nil {
		return fmt.Errorf("write progress: %w", err)
	}
	p.saved = *s
	return nil
}

func (p *Progress) finish() error {
	if p == nil {
		return nil
	}
	if err := os.Remove(p.Path); err != nil {
		return fmt.Errorf("remove progress: %w", err)
	}
	return nil
}
