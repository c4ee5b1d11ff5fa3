package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/url"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// files are the files of the built app, ready to be sent.
type files struct {
	byPath map[string]*file // "/assets/app-1a2b.js"
	app    bool             // there is an app: index.html
}

// file is one file in all its encodings.
type file struct {
	kind    string
	caching string
	tag     string // of its content
	plain   []byte
	brotli  []byte // nil when it was not made
	gzip    []byte
}

// readFiles takes in the built app with the compressed twins that the build put
// beside the files.
func readFiles(dist fs.FS) (*files, error) {
	all := &files{byPath: map[string]*file{}}
	err := fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		if ext := path.Ext(name); ext == ".br" || ext == ".gz" {
			return nil
		}
		f, err := readFile(dist, name)
		if err != nil {
			return err
		}
		all.byPath["/"+name] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	all.app = all.byPath["/index.html"] != nil
	return all, nil
}

func readFile(dist fs.FS, name string) (*file, error) {
	plain, err := fs.ReadFile(dist, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	sum := sha256.Sum256(plain)
	f := &file{kind: kindOf(name), plain: plain, tag: `"` + hex.EncodeToString(sum[:8]) + `"`, caching: "no-cache"}
	if strings.HasPrefix(name, "assets/") { // the build puts a hash of the content into these names
		f.caching = "public, max-age=31536000, immutable"
	}
	for suffix, into := range map[string]*[]byte{".br": &f.brotli, ".gz": &f.gzip} {
		*into, err = fs.ReadFile(dist, name+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read %s: %w", name+suffix, err)
		}
	}
	return f, nil
}

// kindOf is the media type of a file. It does not ask the system's tables, which
// differ from machine to machine.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// file sends a file of the app, and the app itself for the addresses of its
// pages. Without an app the plain pages take their place.
func (s *Server) file(c *fiber.Ctx, _ *visitor) error {
	name := c.Path()
	if f := s.files.byPath[name]; f != nil && name != "/index.html" {
		return f.send(c)
	}
	if !isPage(name) {
		return fail("not_found")
	}
	if s.files.app {
		return s.files.byPath["/index.html"].send(c)
	}
	return c.Redirect(basicFor(name), fiber.StatusSeeOther)
}

// isPage reports whether a path may be one of the app's pages: it has no file
// extension and is not of the API. The tokens of tags may be anything.
func isPage(name string) bool {
	switch {
	case strings.HasPrefix(name, "/api/") || name == "/api" || strings.HasPrefix(name, "/assets/"):
		return false
	case strings.HasPrefix(name, "/t/"):
		return true
	}
	return name == "/index.html" || path.Ext(name) == ""
}

// basicFor is the plain page in place of a page of the app.
func basicFor(name string) string {
	if token, isTag := strings.CutPrefix(name, "/t/"); isTag {
		if plain, err := url.PathUnescape(token); err == nil {
			return "/basic/t/" + url.PathEscape(plain)
		}
	}
	return "/basic"
}

func (f *file) send(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, f.kind)
	c.Set(fiber.HeaderCacheControl, f.caching)
	c.Set(fiber.HeaderETag, f.tag)
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if strings.Contains(c.Get(fiber.HeaderIfNoneMatch), f.tag) {
		return c.SendStatus(fiber.StatusNotModified)
	}
	accepted := c.Get(fiber.HeaderAcceptEncoding)
	switch {
	case f.brotli != nil && accepts(accepted, "br"):
		c.Set(fiber.HeaderContentEncoding, "br")
		return c.Send(f.brotli)
	case f.gzip != nil && accepts(accepted, "gzip"):
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(f.gzip)
	}
	return c.Send(f.plain)
}

// accepts reports whether an Accept-Encoding header names the coding and does
// not refuse it (RFC 9110 §12.5.3).
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q := strings.ReplaceAll(parameters, " ", "")
		return !strings.HasPrefix(q, "q=0") || strings.Trim(strings.TrimPrefix(q, "q=0"), ".0") != ""
	}
	return false
}
