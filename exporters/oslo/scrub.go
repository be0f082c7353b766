package oslo

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// redacted stands where a secret stood, so that a reader sees that there was one.
const redacted = "(removed)"

// maxDepth bounds the nesting of a payload; OpenStack's stay under 12.
const maxDepth = 64

var (
	secretKey = regexp.MustCompile(`(?i)(^|_)(token|password|passwd|admin_?pass|secret|private_key|user_?data|credentials?|trust_id)$`)
	// A Fernet token, version byte 0x80: this is how Keystone's look.
	fernet = regexp.MustCompile(`gAAAA[A-Za-z0-9_\-=%]{60,}`)
	// A JSON web token, Keystone's other kind.
	jws = regexp.MustCompile(`eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{20,}`)
)

// scrub decodes a payload without what must not be stored: the request context
// (legacy messages carry it, and versioned objects inside them as _context, at
// times with a live token), passwords, user data
// and anything that looks like a token. Versioned objects are unwrapped.
func scrub(raw json.RawMessage) (any, error) {
	v, err := decodeNumbers(raw)
	if err != nil {
		return nil, err
	}
	return scrubValue(v, 0)
}

func scrubValue(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	switch v := v.(type) {
	case map[string]any:
		if object, ok := unwrap(v); ok {
			return scrubValue(object, depth+1)
		}
		for k, inner := range v {
			if k == "_context" || strings.HasPrefix(k, "_context_") {
				delete(v, k)
				continue
			}
			if secretKey.MatchString(k) {
				if s, isString := inner.(string); inner != nil && (!isString || s != "") {
					v[k] = redacted
				}
				continue
			}
			clean, err := scrubValue(inner, depth+1)
			if err != nil {
				return nil, err
			}
			v[k] = clean
		}
		return v, nil
	case []any:
		for i := range v {
			clean, err := scrubValue(v[i], depth+1)
			if err != nil {
				return nil, err
			}
			v[i] = clean
		}
		return v, nil
	case string:
		return jws.ReplaceAllString(fernet.ReplaceAllString(v, redacted), redacted), nil
	}
	return v, nil
}

// unwrap returns the data of an oslo.versionedobjects primitive: Nova's keys
// are nova_object.*, Masakari's masakari_object.*.
func unwrap(m map[string]any) (any, bool) {
	for k, data := range m {
		if prefix, ok := strings.CutSuffix(k, "_object.data"); ok {
			if _, named := m[prefix+"_object.name"]; named {
				return data, true
			}
		}
	}
	return nil, false
}
