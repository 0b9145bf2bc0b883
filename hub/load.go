package hub

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Options says how to find and call a module. The zero value is right for most.
type Options struct {
	// Signature and OutputKey choose a signature and one of its outputs, as
	// hub.KerasLayer's arguments do. Empty means a call of the module itself
	// (TF1: the signature and the output "default").
	Signature, OutputKey string
	// Tags names the graph of a module that has several; nil means the one
	// tagged "serve", else the one without tags.
	Tags []string
	// CacheDir is where modules are kept; empty means what TF-Hub takes: the
	// environment's TFHUB_CACHE_DIR, else tfhub_modules in the temporary directory.
	CacheDir string
	// Progress is told the bytes downloaded so far and their number, -1 if unknown.
	Progress func(done, total int64)
	// Client downloads; nil means http.DefaultClient.
	Client *http.Client
}

// Load loads the module that handle names: a directory, a .tar.gz file or an
// http(s) address. Errors name the handle.
func Load(ctx context.Context, handle string, o Options) (*Module, error) {
	m, err := load(ctx, handle, o)
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", handle, err)
	}
	m.handle = handle
	return m, nil
}

// IsRemote reports whether a handle is an address rather than a path.
func IsRemote(handle string) bool {
	return strings.HasPrefix(handle, "https://") || strings.HasPrefix(handle, "http://")
}

func load(ctx context.Context, handle string, o Options) (*Module, error) {
	if IsRemote(handle) {
		dir, err := fetch(ctx, handle, o)
		if err != nil {
			return nil, err
		}
		return open(dir, o)
	}
	info, err := os.Stat(handle)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no such directory or file: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return open(handle, o)
	}
	return loadArchive(ctx, handle, o)
}

// loadArchive reads a module from a .tar.gz file.
func loadArchive(ctx context.Context, name string, o Options) (_ *Module, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tmp, err := os.MkdirTemp("", "hub-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := extract(ctx, f, tmp); err != nil {
		return nil, err
	}
	return open(moduleRoot(tmp), o)
}

// moduleRoot returns the directory of a module within an extracted archive: the
// archive may hold it in one directory.
func moduleRoot(dir string) string {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 1 && entries[0].IsDir() && entries[0].Name() != "variables" {
		return filepath.Join(dir, entries[0].Name())
	}
	return dir
}

// fetch returns the directory in which a remote module is cached, downloading
// it if need be.
func fetch(ctx context.Context, handle string, o Options) (string, error) {
	u, err := url.Parse(handle)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("no address: %w", tensor.ErrMalformed)
	}
	src := sourceOf(u)
	for _, dir := range src.cached(u, handle, o.cacheDir()) {
		if isModule(dir) {
			return dir, nil
		}
	}
	dir := CachePath(handle, o.CacheDir)
	if err := download(ctx, src.address(u), dir, o); err != nil {
		return "", fmt.Errorf("not in the cache and no download: %w; to place it by hand, unpack its .tar.gz into %s", err, dir)
	}
	return dir, nil
}

func (o Options) cacheDir() string {
	if o.CacheDir != "" {
		return o.CacheDir
	}
	if dir := os.Getenv("TFHUB_CACHE_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), "tfhub_modules")
}

// CachePath returns the directory in which TF-Hub keeps the module of a remote
// handle: the SHA-1 of the handle below the cache's directory. An empty cacheDir
// means the default of Options.
func CachePath(handle, cacheDir string) string {
	sum := sha1.Sum([]byte(handle))
	return filepath.Join(Options{CacheDir: cacheDir}.cacheDir(), hex.EncodeToString(sum[:]))
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "saved_model.pb"))
	return err == nil
}

// source is a site that publishes modules.
type source struct {
	host string
	// address returns what to download.
	address func(u *url.URL) string
	// cached lists the directories that may hold a module already.
	cached func(u *url.URL, handle, cacheDir string) []string
}

func sourceOf(u *url.URL) source {
	for _, s := range sources {
		if u.Host == s.host || strings.HasSuffix(u.Host, "."+s.host) {
			return s
		}
	}
	return sources[0]
}

// sources is the table of sites; the first row serves all others, as TF-Hub
// takes any address for that of an archive.
var sources = []source{
	{"tfhub.dev", hubAddress, hubCached},
	{"kaggle.com", kaggleAddress, kaggleCached},
}

func hubAddress(u *url.URL) string {
	a := *u
	q := a.Query()
	q.Set("tf-hub-format", "compressed")
	a.RawQuery = q.Encode()
	return a.String()
}

// hubCached lists the cache of compressed modules, also without the query that
// earlier releases kept in the handle, and a tree of uncompressed ones.
func hubCached(u *url.URL, handle, cacheDir string) []string {
	return []string{
		CachePath(handle, cacheDir), CachePath(hubAddress(u), cacheDir),
		filepath.Join(cacheDir, u.Host, filepath.FromSlash(path.Clean("/"+u.Path))),
	}
}

// kagglePath returns the parts of models/OWNER/MODEL/FRAMEWORK/VARIATION/VERSION,
// without the words between them that the site's own links have.
func kagglePath(u *url.URL) []string {
	parts := strings.Split(strings.Trim(path.Clean("/"+u.Path), "/"), "/")
	return slices.DeleteFunc(parts, func(p string) bool {
		return p == "frameworks" || p == "variations" || p == "versions"
	})
}

func kaggleAddress(u *url.URL) string {
	return u.Scheme + "://" + u.Host + "/api/v1/" + strings.Join(kagglePath(u), "/") + "/download"
}

// kaggleCached adds kagglehub's own cache to TF-Hub's.
func kaggleCached(u *url.URL, handle, cacheDir string) []string {
	dirs := []string{CachePath(handle, cacheDir)}
	root := os.Getenv("KAGGLEHUB_CACHE")
	if home, err := os.UserHomeDir(); root == "" && err == nil {
		root = filepath.Join(home, ".cache", "kagglehub")
	}
	if p := kagglePath(u); root != "" {
		dirs = append(dirs, filepath.Join(append([]string{root}, p...)...))
	}
	return dirs
}

// download fetches an archive and unpacks it to dir, which appears whole or not
// at all.
func download(ctx context.Context, address, dir string, o Options) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := o.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	body := io.Reader(resp.Body)
	if o.Progress != nil {
		body = &progress{r: body, total: resp.ContentLength, tell: o.Progress}
	}
	if err := extract(ctx, body, tmp); err != nil {
		return err
	}
	if !isModule(moduleRoot(tmp)) {
		return fmt.Errorf("the archive holds no saved_model.pb: %w", tensor.ErrMalformed)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(moduleRoot(tmp), dir)
}

// progress tells how much was read.
type progress struct {
	r           io.Reader
	done, total int64
	tell        func(done, total int64)
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	p.tell(p.done, p.total)
	return n, err
}
