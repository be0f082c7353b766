package wide_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"mcloud/planner/forecast/wide"
)

func TestRead(t *testing.T) {
	got, err := wide.Read(strings.NewReader("\xef\xbb\xbf\"V1\",\"V2\",\"V3\"\r\n\"H1\",\"605\",586.5,,\r\nx,,-1e3,NA,7,\n"), "f.csv")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].ID != "H1" || len(got[0].Values) != 2 || got[0].Values[1] != 586.5 {
		t.Fatalf("read %+v", got)
	}
	if v := got[1].Values; len(v) != 4 || !math.IsNaN(v[0]) || v[1] != -1000 || !math.IsNaN(v[2]) || v[3] != 7 {
		t.Errorf("values %v, want a gap, −1000, a gap and 7", v)
	}
}

func TestBadFilesAreNamed(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "f.csv: no series"},
		{"id,a,b\n", "f.csv: no series"},
		{"a,1,2\nb,1,two\n", `f.csv:2: series "b", value 2: "two" is not a finite number`},
		{"a,1,2\nb,1,Inf\n", "f.csv:2: "},
		{"a,1,0x10\n", "f.csv:1: "},
		{"a,1,2\n\nb,,\n", `f.csv:3: series "b" has no values`},
		{"a,1,2\n,1\n", "f.csv:2: the first cell"},
		{"a,1\nb,2\na,3\n", `f.csv:3: series "a" was already on line 1`},
		{"a,1\n\"b,2\n", "f.csv:"},
		{"a,1,\"2\n3\"\nb,x\n", "f.csv:1: "},
	} {
		if _, err := wide.Read(strings.NewReader(tt.text), "f.csv"); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %s…", tt.text, err, tt.want)
		}
	}
}

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	err := wide.Write(&b, []float64{0.025, 0.5}, []wide.Forecast{
		{ID: "a", Mean: []float64{1, 2}, Quantiles: [][]float64{{0.5, 1}, {1, 2}}},
		{ID: "b,c", Mean: []float64{1.0 / 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "id,step,mean,q0.025,q0.5\na,1,1,0.5,1\na,2,2,1,2\n\"b,c\",1,0.3333333333,,\n"
	if b.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", b.String(), want)
	}
}

// FuzzRead: what is read can be written and read again; nothing read is infinite.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a,1,2\n", "id,x\na,1,,\n", "\xef\xbb\xbf\"a\",\"1\"\r\n", "a,\"\n", "a,NaN,1e400\n", ",,,\n", "a,1\na,1\n", "\"x\"\"y\",1,2\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := wide.Read(bytes.NewReader(text), "f.csv")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.csv") || len(all) > 0 {
				t.Fatalf("error %q with %d series", err, len(all))
			}
			return
		}
		for _, s := range all {
			known := false
			for _, v := range s.Values {
				if math.IsInf(v, 0) {
					t.Fatalf("series %q has an infinite value", s.ID)
				}
				known = known || !math.IsNaN(v)
			}
			if s.ID == "" || !known || math.IsNaN(s.Values[len(s.Values)-1]) && !strings.Contains(strings.ToLower(string(text)), "na") {
				t.Fatalf("series %q has values %v", s.ID, s.Values)
			}
		}
	})
}
