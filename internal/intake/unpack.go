package intake

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow is what zstd itself writes at most unless told to: a file must
// not decide how much memory is used.
const maxZstdWindow = 128 << 20

func unpack(input io.Reader, magic []byte) (plain io.Reader, closer func(), err error) {
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(input)
		if err != nil {
			return nil, nil, fmt.Errorf("unpack gzip: %w", err)
		}
		return &packed{z, "gzip"}, func() {}, nil
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(input, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, fmt.Errorf("unpack zstd: %w", err)
		}
		return &packed{z, "zstd"}, z.Close, nil
	}
	return input, func() {}, nil
}

// packed says what was being unpacked when it fails.
type packed struct {
	io.Reader
	form string
}

func (p *packed) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file is cut off")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("unpack %s: %w", p.form, err)
	}
	return n, err
}
