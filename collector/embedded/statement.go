package embedded

import (
	"slices"
	"strings"
)

// statement is what the HTTP interface has to know of a statement before the
// engine parses it: where inline data begins, which format the answer has, and
// whether it asks for something that a server would not do over HTTP.
type statement struct {
	text string // without inline data and a closing semicolon
	// insertFormat is the FORMAT of an INSERT whose data follows, else "".
	insertFormat string
	// beforeFormat is the place in text where "FROM INFILE" goes in such an INSERT.
	beforeFormat int
	// data is what followed the FORMAT in the same text.
	data string
	// answerFormat is the FORMAT that a query names itself, else "".
	answerFormat string
	// reads says that the statement changes nothing.
	reads bool
	// lasting says that the statement changes the connection for those after it.
	lasting bool
}

// token is one word, symbol or literal; kind is 'w' for a bare word, 's' for
// anything quoted, else the symbol itself.
type token struct {
	kind       byte
	text       string
	start, end int
}

func (t token) is(word string) bool { return t.kind == 'w' && strings.EqualFold(t.text, word) }

// next returns the token at or after position i; its kind is 0 at the end.
// Quoting and comments are those of ClickHouse's src/Parsers/Lexer.cpp.
func next(s string, i int) token {
	for i < len(s) {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == 0:
			i++
		case strings.HasPrefix(s[i:], "--") || strings.HasPrefix(s[i:], "# ") || strings.HasPrefix(s[i:], "#!"):
			n := strings.IndexByte(s[i:], '\n')
			if n < 0 {
				return token{start: len(s), end: len(s)}
			}
			i += n + 1
		case strings.HasPrefix(s[i:], "/*"):
			n := strings.Index(s[i+2:], "*/")
			if n < 0 {
				return token{start: len(s), end: len(s)}
			}
			i += n + 4
		case c == '\'' || c == '"' || c == '`':
			end := i + 1
			for end < len(s) && s[end] != c {
				if s[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(s))
			return token{kind: 's', text: s[i:end], start: i, end: end}
		case c == '$':
			if end := heredoc(s, i); end > i {
				return token{kind: 's', text: s[i:end], start: i, end: end}
			}
			return token{kind: c, text: s[i : i+1], start: i, end: i + 1}
		case wordByte(c):
			end := i + 1
			for end < len(s) && wordByte(s[end]) {
				end++
			}
			return token{kind: 'w', text: s[i:end], start: i, end: end}
		default:
			return token{kind: c, text: s[i : i+1], start: i, end: i + 1}
		}
	}
	return token{start: len(s), end: len(s)}
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// heredoc returns the end of the $tag$…$tag$ at i, or i when there is none.
func heredoc(s string, i int) int {
	n := i + 1
	for n < len(s) && wordByte(s[n]) {
		n++
	}
	if n >= len(s) || s[n] != '$' {
		return i
	}
	tag := s[i : n+1]
	end := strings.Index(s[n+1:], tag)
	if end < 0 {
		return i
	}
	return n + 1 + end + len(tag)
}

// outside are the table functions and engines that read or write files, run
// programs or open connections. A server checks rights for them; in here there
// is one user, and whoever reaches the port must not become the process's user.
var outside = []string{
	"arrowflight", "azureblobstorage", "azurequeue", "catboostevaluate", "cosn", "deltalake", "deltalakelocal", "disk",
	"executable", "executablepool", "file", "filecluster", "filelog", "filesystem", "gcs", "hdfs", "hdfscluster",
	"http", "hudi", "iceberg", "icebergazure", "iceberghdfs", "iceberglocal", "icebergs3", "jdbc", "kafka",
	"materializedpostgresql", "mongodb", "mysql", "nats", "odbc", "oss", "paimon", "postgresql", "python", "rabbitmq",
	"redis", "remote", "remotesecure", "s3", "s3cluster", "s3queue", "sqlite", "url", "urlcluster", "ytsaurus",
}

// parse looks through a statement. Every error is an *exception.
func parse(text string) (*statement, error) {
	s := &statement{}
	var first, second, previous token
	depth, word, semicolon := 0, 0, -1
	format, settings := -1, -1 // starts of the last FORMAT and of the SETTINGS before it, outside parentheses
	formatEnd := 0
	insert, selects := false, false
	for t := next(text, 0); t.kind != 0; t = next(text, t.end) {
		if semicolon >= 0 {
			return nil, exceptionf(codeSyntax, "SYNTAX_ERROR", "Multi-statements are not allowed")
		}
		switch t.kind {
		case '(', '[', '{':
			depth++
			if t.kind == '(' && refused(previous.text) {
				return nil, exceptionf(codeAccessDenied, "ACCESS_DENIED", "%s() reaches outside the embedded store and is not served", previous.text)
			}
		case ')', ']', '}':
			depth--
		case ';':
			semicolon = t.start
		case 'w':
			word++
			switch word {
			case 1:
				first = t
				insert = t.is("INSERT")
			case 2:
				second = t
			}
			switch {
			case t.is("INFILE") && previous.is("FROM"), t.is("OUTFILE") && previous.is("INTO"):
				return nil, exceptionf(codeAccessDenied, "ACCESS_DENIED", "%s %s works on files of the server and is not served", previous.text, t.text)
			case depth == 0 && t.is("SETTINGS"):
				if format < 0 {
					settings = t.start
				}
			case depth == 0 && previous.is("FORMAT"):
				format, formatEnd, s.answerFormat = previous.start, t.end, t.text
				if insert && !selects {
					s.insertFormat = t.text
					return s.inline(text, format, settings, formatEnd), nil
				}
			case depth == 0 && t.is("VALUES") && insert && !selects:
				s.insertFormat = "Values"
				return s.inline(text, t.start, settings, t.end), nil
			case insert && depth == 0 && (t.is("SELECT") || t.is("WITH") || t.is("WATCH")):
				selects = true
			case isTable(first) && previous.kind == '=' && refused(t.text):
				return nil, exceptionf(codeAccessDenied, "ACCESS_DENIED", "the engine %s reaches outside the embedded store and is not served", t.text)
			}
		}
		previous = t
	}
	s.text = text
	if semicolon >= 0 {
		s.text = text[:semicolon]
	}
	if insert {
		s.answerFormat = ""
	}
	s.reads = slices.ContainsFunc([]string{"SELECT", "WITH", "FROM", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"}, first.is)
	s.lasting = first.is("SET") || first.is("USE") || second.is("TEMPORARY") || first.is("BEGIN")
	return s, nil
}

func isTable(first token) bool {
	return first.is("CREATE") || first.is("ATTACH") || first.is("REPLACE")
}

func refused(name string) bool {
	return slices.Contains(outside, strings.ToLower(strings.Trim(name, "`\"")))
}

// inline cuts an INSERT at its FORMAT (or VALUES) and keeps what follows as
// data. One line end after the format's name belongs to neither, as in the server.
func (s *statement) inline(text string, format, settings, end int) *statement {
	s.answerFormat = ""
	s.beforeFormat = format
	if settings >= 0 {
		s.beforeFormat = settings
	}
	s.text = text[:end]
	if s.insertFormat == "Values" && !strings.EqualFold(strings.TrimSpace(text[format:end]), "FORMAT Values") {
		s.text = text[:format] + "FORMAT Values"
	}
	s.data = strings.TrimLeft(text[end:], " \t")
	s.data = strings.TrimPrefix(strings.TrimPrefix(s.data, "\r"), "\n")
	return s
}

// fromFile is the INSERT with its data in the file at path.
func (s *statement) fromFile(path string) string {
	return s.text[:s.beforeFormat] + "FROM INFILE '" + path + "' " + s.text[s.beforeFormat:]
}
