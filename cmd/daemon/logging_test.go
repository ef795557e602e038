package daemon

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"cairn"
)

func TestNewLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "logfmt", "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("not this")
	log.Warn("etcd does not answer", "retry", "1s")
	if got := out.String(); !strings.Contains(got, `level=WARN msg="etcd does not answer" retry=1s`) || strings.Contains(got, "not this") {
		t.Errorf("logfmt: %q", got)
	}

	out.Reset()
	if log, err = NewLogger(&out, "json", "info"); err != nil {
		t.Fatal(err)
	}
	log.Info("ready", "listen", "127.0.0.1:7600")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != "ready" || line["listen"] != "127.0.0.1:7600" {
		t.Errorf("json: %q, %v", out.String(), err)
	}
}

func TestNewLoggerRefusesOthers(t *testing.T) {
	for _, each := range [][3]string{{"xml", "info", "LOG_FORMAT"}, {"json", "loud", "LOG_LEVEL"}, {"", "info", "LOG_FORMAT"}} {
		if _, err := NewLogger(nil, each[0], each[1]); cairn.ReasonOf(err) != each[2] {
			t.Errorf("%v: %v", each, err)
		}
	}
}
