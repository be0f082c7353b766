package embedded

import "encoding/binary"

// greetingQuery begins the first statement of clickhouse-go over HTTP; from its
// answer the client learns the revision in which all later answers are encoded.
const greetingQuery = "SELECT displayName(), version(), revision(), timezone()"

// greeting is the answer to greetingQuery as a Native block of the client's own
// revision. It names revision 0, since the library writes Native blocks of
// revision 0 only, which have neither block info nor custom serialisations.
// The form is that of lib/proto/block.go and handshake.go of clickhouse-go.
func greeting(version string) []byte {
	var b []byte
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	column := func(name, kind string) {
		text(name)
		text(kind)
		b = append(b, 0) // no custom serialisation
	}
	// Block info: field 1 is_overflows = 0, field 2 bucket_num = -1, end.
	b = append(b, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0)
	b = append(b, 4, 1) // columns, rows
	column("displayName()", "String")
	text("mcloud embedded store")
	column("version()", "String")
	text(version)
	column("revision()", "UInt32")
	b = binary.LittleEndian.AppendUint32(b, 0)
	column("timezone()", "String")
	text("UTC")
	return b
}
