package embedded

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, sent, insert, data, answer string }{
		{"SELECT 1", "SELECT 1", "", "", ""},
		{"SELECT 1;\n", "SELECT 1", "", "", ""},
		{"select 1 format JSON", "select 1 format JSON", "", "", "JSON"},
		{"SELECT 1 FORMAT TSV SETTINGS max_threads = 1", "SELECT 1 FORMAT TSV SETTINGS max_threads = 1", "", "", "TSV"},
		{"SELECT 'FORMAT x; INTO OUTFILE' -- FORMAT CSV", "SELECT 'FORMAT x; INTO OUTFILE' -- FORMAT CSV", "", "", ""},
		{"SELECT (SELECT format FROM t)", "SELECT (SELECT format FROM t)", "", "", ""},
		{"INSERT INTO t (a, b) FORMAT Native", "INSERT INTO t (a, b) FROM INFILE 'F' FORMAT Native", "Native", "", ""},
		{"INSERT INTO t FORMAT CSV\n1,2\n\n3,';", "INSERT INTO t FROM INFILE 'F' FORMAT CSV", "CSV", "1,2\n\n3,';", ""},
		{"INSERT INTO t SETTINGS async_insert=0 FORMAT TSV\r\nx", "INSERT INTO t FROM INFILE 'F' SETTINGS async_insert=0 FORMAT TSV", "TSV", "x", ""},
		{"insert into t (`a;FORMAT`) values (1), ('\n\n')", "insert into t (`a;FORMAT`) FROM INFILE 'F' FORMAT Values", "Values", "(1), ('\n\n')", ""},
		{"INSERT INTO t SELECT 1 FORMAT Null", "INSERT INTO t SELECT 1 FORMAT Null", "", "", ""},
		{"/* INSERT */ SELECT $x$ ; $x$", "/* INSERT */ SELECT $x$ ; $x$", "", "", ""},
	} {
		s, err := parse(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		sent := s.text
		if s.insertFormat != "" {
			sent = s.fromFile("F")
		}
		if sent != c.sent || s.insertFormat != c.insert || s.data != c.data || s.answerFormat != c.answer {
			t.Errorf("%q:\n got %q insert %q data %q answer %q\nwant %q insert %q data %q answer %q", c.text, sent, s.insertFormat, s.data, s.answerFormat, c.sent, c.insert, c.data, c.answer)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1; DROP TABLE t":                                 "SYNTAX_ERROR",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')":      "ACCESS_DENIED",
		"SELECT * FROM `file` ('/etc/passwd')":                   "ACCESS_DENIED",
		"SELECT * FROM /* */ URL /* */ ('http://x')":             "ACCESS_DENIED",
		"INSERT INTO FUNCTION file('/tmp/x') SELECT 1":           "ACCESS_DENIED",
		"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV":     "ACCESS_DENIED",
		"SELECT 1 INTO OUTFILE '/tmp/x'":                         "ACCESS_DENIED",
		"CREATE TABLE t (a Int8) ENGINE = File(CSV, '/tmp/x')":   "ACCESS_DENIED",
		"CREATE TABLE t (a Int8) ENGINE = URL":                   "ACCESS_DENIED",
		"CREATE DICTIONARY d (a UInt8) SOURCE(HTTP(url 'h://'))": "ACCESS_DENIED",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"SELECT 1", "INSERT INTO t FORMAT CSV\n1", "a'\\", "$x$", "/*", "--", "`", "INSERT INTO t VALUES ("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err != nil {
			return
		}
		if s.insertFormat == "" && !strings.HasPrefix(text, s.text) {
			t.Errorf("%q became %q", text, s.text)
		}
		if s.insertFormat != "" && !strings.HasSuffix(text, s.data) {
			t.Errorf("%q lost data, kept %q", text, s.data)
		}
	})
}
