package shipper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

func exampleIntent() intent {
	return intent{
		intentHeader: intentHeader{Agent: "a1", Sequence: 7, End: position{1, 2, 3}, Part: 2},
		batch: Batch{
			Series: []labels.Labels{labels.FromStrings("__name__", "up", "job", "\n\n\x00ü"), labels.FromStrings("a", "b")},
			Ref:    []uint32{1, 0, 1, 0},
			Time:   []int64{-5, 1_700_000_000_000, 0, math.MaxInt64 / 2},
			Value:  []float64{math.Float64frombits(value.StaleNaN), math.Inf(-1), 0.1 + 0.2, math.Copysign(0, -1)},
		},
	}
}

func TestIntentComesBackBitForBit(t *testing.T) {
	in := exampleIntent()
	content, err := new(intentEncoder).encode(in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeIntent(content)
	if err != nil {
		t.Fatal(err)
	}
	bits := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
	if d := cmp.Diff(in, got, cmp.AllowUnexported(intent{}), bits, cmp.Comparer(labels.Equal)); d != "" {
		t.Error(d)
	}
	if got.token(1) != "a1-7-1" {
		t.Errorf("token %q", got.token(1))
	}
}

// One encoder makes of each intent what a new one would, whatever it encoded before.
func TestEncoderIsUsedAgain(t *testing.T) {
	small, large := exampleIntent(), exampleIntent()
	for i := range 5000 {
		large.batch.Series = append(large.batch.Series, labels.FromStrings("__name__", "m", "i", fmt.Sprint(i)))
		large.batch.Ref, large.batch.Time, large.batch.Value = append(large.batch.Ref, uint32(i)), append(large.batch.Time, int64(i)), append(large.batch.Value, float64(i))
	}
	var e intentEncoder
	for i, in := range []intent{large, small, large, small} {
		got, err := e.encode(in)
		if err != nil {
			t.Fatal(err)
		}
		want, err := new(intentEncoder).encode(in)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("intent %d differs, %v", i, err)
		}
	}
}

// Earlier versions wrote the lengths of fields as short as they can be.
func TestIntentOfEarlierVersion(t *testing.T) {
	in := exampleIntent()
	content, err := new(intentEncoder).encode(in)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := unframe(intentKind, content)
	if err != nil {
		t.Fatal(err)
	}
	var short []byte
	for range 3 {
		n, k := binary.Uvarint(payload)
		short = append(binary.AppendUvarint(short, n), payload[k:k+int(n)]...)
		payload = payload[k+int(n):]
	}
	got, err := decodeIntent(frame(intentKind, short))
	if err != nil || got.intentHeader != in.intentHeader || len(got.batch.Value) != len(in.batch.Value) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestEveryCutOrChangedIntentIsDamaged(t *testing.T) {
	content, err := new(intentEncoder).encode(exampleIntent())
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		if _, err := decodeIntent(content[:i]); !errors.Is(err, errDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		changed := append([]byte(nil), content...)
		changed[i] ^= 0x40
		if _, err := decodeIntent(changed); !errors.Is(err, errDamaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

func FuzzDecodeIntent(f *testing.F) {
	content, err := new(intentEncoder).encode(exampleIntent())
	if err != nil {
		f.Fatal(err)
	}
	payload, err := unframe(intentKind, content)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte("\x02{}\x01\x01\x01\x02"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		in, err := decodeIntent(frame(intentKind, payload))
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Fatalf("%v is not errDamaged", err)
			}
			return
		}
		for _, r := range in.batch.Ref {
			_ = in.batch.Series[r]
		}
	})
}

func TestSegmentNames(t *testing.T) {
	for _, s := range []segment{{}, {1, 2, 3}, {1234567, 123456789, 7}} {
		if got, ok := parseSegment(s.name()); !ok || got != s {
			t.Errorf("%+v is %q is %+v %v", s, s.name(), got, ok)
		}
	}
	for _, bad := range []string{"", "00000001", "000001-00000002", "000001-00000002-3.tmp", "1-2-3"} {
		if got, ok := parseSegment(bad); ok {
			t.Errorf("%q was taken as %+v", bad, got)
		}
	}
}
