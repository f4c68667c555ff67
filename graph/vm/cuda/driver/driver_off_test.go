//go:build !(gpu && cgo && linux && (amd64 || arm64))

package driver

import (
	"errors"
	"strings"
	"testing"
)

func TestNotBuilt(t *testing.T) {
	s := Status()
	if s.Built || s.Err == nil || !strings.Contains(s.String(), "-tags gpu") {
		t.Errorf("%+v", s)
	}
	if _, err := Devices(); !errors.Is(err, errNotBuilt) {
		t.Errorf("Devices: %v", err)
	}
	if err := s.Require(12000); !errors.Is(err, errNotBuilt) {
		t.Errorf("Require: %v", err)
	}
}
