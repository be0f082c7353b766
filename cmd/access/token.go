package access

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mcloud/cmd/config"
)

// errConfig is wrapped by what a change of the configuration mends.
var errConfig = config.ErrConfig

// ownToken is the name of the file in the data directory.
const ownToken = "access.token"

// minToken is the length below which a token could be guessed.
const minToken = 16

// tokenFile are the digests of the tokens in one file, and who presents one of them.
type tokenFile struct {
	*files[[]digest]
	identity Identity
}

// openTokens reads a file of tokens, one in a line; empty lines and those that begin
// with # do not count. Two may stand in it while one replaces the other.
func (g *Gate) openTokens(what, path string, who Identity) (*tokenFile, error) {
	f, err := openFiles(what, g.logger, g.now, func(contents [][]byte) ([]digest, error) {
		var tokens []digest
		for line := range bytes.Lines(contents[0]) {
			token := strings.TrimSpace(string(line))
			if token == "" || token[0] == '#' {
				continue
			}
			if len(token) < minToken || !isToken(token) {
				return nil, fmt.Errorf("%s: a token has less than %d characters, or others than visible ASCII", path, minToken)
			}
			tokens = append(tokens, g.digest("token", token))
		}
		if len(tokens) == 0 {
			return nil, fmt.Errorf("%s: there is no token in it; make one with: openssl rand -hex 32", path)
		}
		return tokens, nil
	}, path)
	if err != nil {
		return nil, err
	}
	return &tokenFile{f, who}, nil
}

// static finds who presents token. Digests are compared, all of them, so that time says
// nothing about a token that is nearly right.
func (g *Gate) static(token string) (who Identity, ok bool) {
	d := g.digest("token", token)
	for _, f := range g.tokens {
		found := 0
		for _, known := range f.get() {
			found |= subtle.ConstantTimeCompare(d[:], known[:])
		}
		if found == 1 && !ok {
			who, ok = f.identity, true
		}
	}
	return who, ok
}

// OwnToken is the path of the token that our programs present to each other when the
// configuration gives them nothing else to: whoever may read the data's directory as its
// owner is one of us. It is made when it is not there.
func OwnToken(dataDir string) (string, error) {
	path := filepath.Join(dataDir, ownToken)
	switch _, err := os.Stat(path); {
	case err == nil:
		return path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the token of our own programs: %w", err)
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return "", fmt.Errorf("the token of our own programs: %w", err)
	}
	f, err := os.CreateTemp(dataDir, ".access.token.*") // readable by its owner alone
	if err != nil {
		return "", fmt.Errorf("the token of our own programs: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(secret) + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		// Unlike a rename it does not replace the one that another part has just made.
		err = os.Link(f.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("the token of our own programs: %w", err)
	}
	return path, nil
}

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
