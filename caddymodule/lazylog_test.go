package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// counted is an object that counts how often it is written.
type counted struct{ n *int }

func (c counted) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	*c.n++
	enc.AddString("inside", "x")
	return nil
}

func newLazy(t *testing.T, config string) *LazyEncoder {
	t.Helper()
	e := new(LazyEncoder)
	if err := e.UnmarshalCaddyfile(caddyfile.NewTestDispenser(config)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := e.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return e
}

// Lines come out as the wrapped encoder alone would write them, whatever kinds
// of fields loggers gather and whichever branches they take.
func TestLazyEncoderWritesTheSame(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"lazy", "lazy json", "lazy console", "lazy filter {\n wrap json\n request>Cookie delete\n}"} {
		lazy := newLazy(t, format)
		plain := lazy.wrapped.Clone()
		write := func(enc zapcore.Encoder) string {
			var out bytes.Buffer
			log := zap.New(zapcore.NewCore(enc, zapcore.AddSync(&out), zapcore.DebugLevel), zap.WithClock(stopped{}))
			n, raw := 0, []byte("raw")
			all := log.With(zap.Object("object", counted{&n}), zap.Strings("array", []string{"a", "b"}), zap.Binary("binary", raw), zap.ByteString("bytes", raw),
				zap.Bool("bool", true), zap.Complex128("c128", 1+2i), zap.Complex64("c64", 3), zap.Duration("duration", time.Second), zap.Float64("f64", 1.5),
				zap.Float32("f32", 2.5), zap.Int("int", -1), zap.Int64("i64", -2), zap.Int32("i32", -3), zap.Int16("i16", -4), zap.Int8("i8", -5),
				zap.String("string", `"s"`), zap.Time("time", time.Unix(7, 0)), zap.Uint("uint", 1), zap.Uint64("u64", 2), zap.Uint32("u32", 3),
				zap.Uint16("u16", 4), zap.Uint8("u8", 5), zap.Uintptr("ptr", 6), zap.Reflect("reflect", map[string]int{"k": 1}), zap.Error(errors.New("e")))
			copy(raw, "XXX") // its owner uses it again
			left, right := all.With(zap.Int("branch", 1)), all.With(zap.Namespace("ns"), zap.Int("branch", 2))
			left.Info("left", zap.String("own", "field"))
			right.Warn("right")
			log.Error("none")
			return out.String()
		}
		got, want := write(lazy), write(plain)
		if want = strings.ReplaceAll(want, "XXX", "raw"); got != want || strings.Count(got, "\n") != 3 {
			t.Errorf("%s: got\n%s\nwant\n%s", format, got, want)
		}
	}
}

type stopped struct{}

func (stopped) Now() time.Time                       { return time.Unix(1, 0) }
func (stopped) NewTicker(time.Duration) *time.Ticker { panic("nobody ticks") }

// What no line shows is never written.
func TestLazyEncoderIsLazy(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	n := 0
	log := zap.New(zapcore.NewCore(newLazy(t, "lazy json"), zapcore.AddSync(&out), zapcore.InfoLevel))
	for range 10 {
		log.With(zap.Object("request", counted{&n})).Debug("roundtrip")
	}
	if n != 0 || out.Len() != 0 {
		t.Errorf("written %d times, %q", n, &out)
	}
	log.With(zap.Object("request", counted{&n})).Info("roundtrip")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || n != 1 || line["request"] == nil {
		t.Errorf("written %d times, %q, %v", n, &out, err)
	}
}

func TestLazyEncoderMistakes(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"lazy nonsense": "caddy.logging.encoders.nonsense", "lazy json {\n  bakend x\n}": "bakend",
	} {
		err := new(LazyEncoder).UnmarshalCaddyfile(caddyfile.NewTestDispenser(config))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s named", config, err, want)
		}
	}
}
