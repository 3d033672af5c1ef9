package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

func init() {
	caddy.RegisterModule(LazyEncoder{})
}

// LazyEncoder is a log encoder that writes a logger's fields when, and only if,
// a line is written with them. Caddy's reverse_proxy gives its logger the whole
// request, each time; other encoders write it out at once, headers and all,
// though below DEBUG no line ever shows it. What lines say stays the same.
type LazyEncoder struct {
	// The encoder that writes the lines. Default: console on a terminal, else json.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	wrapped   zapcore.Encoder
	isDefault bool
	ctx       caddy.Context
	fields    []zapcore.Field
}

// CaddyModule implements [caddy.Module].
func (LazyEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.encoders.session_gate_lazy", New: func() caddy.Module { return new(LazyEncoder) }}
}

// Provision loads the encoder that writes.
func (e *LazyEncoder) Provision(ctx caddy.Context) error {
	e.ctx = ctx
	if e.WrappedRaw == nil {
		e.isDefault = true
		return e.wrap(&logging.JSONEncoder{})
	}
	mod, err := ctx.LoadModule(e, "WrappedRaw")
	if err != nil {
		return fmt.Errorf("loading the encoder to wrap: %w", err)
	}
	e.wrapped = mod.(zapcore.Encoder)
	return nil
}

func (e *LazyEncoder) wrap(enc interface {
	zapcore.Encoder
	caddy.Provisioner
}) error {
	if err := enc.Provision(e.ctx); err != nil {
		return fmt.Errorf("preparing the default encoder: %w", err)
	}
	e.wrapped = enc
	return nil
}

// ConfigureDefaultFormat implements [caddy.ConfiguresFormatterDefault].
func (e *LazyEncoder) ConfigureDefaultFormat(to caddy.WriterOpener) error {
	if !e.isDefault {
		if inner, ok := e.wrapped.(caddy.ConfiguresFormatterDefault); ok {
			return inner.ConfigureDefaultFormat(to)
		}
		return nil
	}
	if caddy.IsWriterStandardStream(to) && term.IsTerminal(int(os.Stderr.Fd())) {
		return e.wrap(&logging.ConsoleEncoder{})
	}
	return nil
}

// UnmarshalCaddyfile reads
//
//	format session_gate_lazy [<encoder> ...]
func (e *LazyEncoder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the encoder's name
	if !d.NextArg() {
		return nil
	}
	name := d.Val()
	module, err := caddyfile.UnmarshalModule(d, "caddy.logging.encoders."+name)
	if err != nil {
		return err
	}
	if _, ok := module.(zapcore.Encoder); !ok {
		return d.Errf("%s is no log encoder", name)
	}
	e.WrappedRaw = caddyconfig.JSONModuleObject(module, "format", name, nil)
	return nil
}

// Clone implements [zapcore.Encoder].
func (e *LazyEncoder) Clone() zapcore.Encoder {
	return &LazyEncoder{wrapped: e.wrapped, fields: slices.Clip(e.fields)}
}

// EncodeEntry implements [zapcore.Encoder]: now the fields are written.
func (e *LazyEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	if len(e.fields) == 0 {
		return e.wrapped.EncodeEntry(entry, fields)
	}
	enc := e.wrapped.Clone()
	for _, f := range e.fields {
		f.AddTo(enc)
	}
	return enc.EncodeEntry(entry, fields)
}

func (e *LazyEncoder) add(f zapcore.Field) { e.fields = append(e.fields, f) }

// The rest of [zapcore.ObjectEncoder], in its order. Bytes are copied: their
// owner may use them again.

func (e *LazyEncoder) AddArray(k string, v zapcore.ArrayMarshaler) error {
	e.add(zap.Array(k, v))
	return nil
}

func (e *LazyEncoder) AddObject(k string, v zapcore.ObjectMarshaler) error {
	e.add(zap.Object(k, v))
	return nil
}
func (e *LazyEncoder) AddBinary(k string, v []byte)          { e.add(zap.Binary(k, bytes.Clone(v))) }
func (e *LazyEncoder) AddByteString(k string, v []byte)      { e.add(zap.ByteString(k, bytes.Clone(v))) }
func (e *LazyEncoder) AddBool(k string, v bool)              { e.add(zap.Bool(k, v)) }
func (e *LazyEncoder) AddComplex128(k string, v complex128)  { e.add(zap.Complex128(k, v)) }
func (e *LazyEncoder) AddComplex64(k string, v complex64)    { e.add(zap.Complex64(k, v)) }
func (e *LazyEncoder) AddDuration(k string, v time.Duration) { e.add(zap.Duration(k, v)) }
func (e *LazyEncoder) AddFloat64(k string, v float64)        { e.add(zap.Float64(k, v)) }
func (e *LazyEncoder) AddFloat32(k string, v float32)        { e.add(zap.Float32(k, v)) }
func (e *LazyEncoder) AddInt(k string, v int)                { e.add(zap.Int(k, v)) }
func (e *LazyEncoder) AddInt64(k string, v int64)            { e.add(zap.Int64(k, v)) }
func (e *LazyEncoder) AddInt32(k string, v int32)            { e.add(zap.Int32(k, v)) }
func (e *LazyEncoder) AddInt16(k string, v int16)            { e.add(zap.Int16(k, v)) }
func (e *LazyEncoder) AddInt8(k string, v int8)              { e.add(zap.Int8(k, v)) }
func (e *LazyEncoder) AddString(k, v string)                 { e.add(zap.String(k, v)) }
func (e *LazyEncoder) AddTime(k string, v time.Time)         { e.add(zap.Time(k, v)) }
func (e *LazyEncoder) AddUint(k string, v uint)              { e.add(zap.Uint(k, v)) }
func (e *LazyEncoder) AddUint64(k string, v uint64)          { e.add(zap.Uint64(k, v)) }
func (e *LazyEncoder) AddUint32(k string, v uint32)          { e.add(zap.Uint32(k, v)) }
func (e *LazyEncoder) AddUint16(k string, v uint16)          { e.add(zap.Uint16(k, v)) }
func (e *LazyEncoder) AddUint8(k string, v uint8)            { e.add(zap.Uint8(k, v)) }
func (e *LazyEncoder) AddUintptr(k string, v uintptr)        { e.add(zap.Uintptr(k, v)) }
func (e *LazyEncoder) AddReflected(k string, v any) error    { e.add(zap.Reflect(k, v)); return nil }
func (e *LazyEncoder) OpenNamespace(k string)                { e.add(zap.Namespace(k)) }

// Interface guards
var (
	_ zapcore.Encoder                  = (*LazyEncoder)(nil)
	_ caddyfile.Unmarshaler            = (*LazyEncoder)(nil)
	_ caddy.Provisioner                = (*LazyEncoder)(nil)
	_ caddy.ConfiguresFormatterDefault = (*LazyEncoder)(nil)
)
