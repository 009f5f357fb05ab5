package graph

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// apolloFormat is what Apollo's manifest says it is.
const apolloFormat = "apollo-persisted-query-manifest"

// readDocuments reads the documents in a file or a folder, see ReadTrusted.
func readDocuments(path string) ([]kept, error) {
	files, err := documentFiles(path)
	if err != nil {
		return nil, err
	}
	var list []kept
	var sources []source
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		content = bytes.TrimPrefix(content, []byte("\uFEFF"))
		if !utf8.Valid(content) {
			return nil, fmt.Errorf("%s: it is not UTF-8", file)
		}
		if filepath.Ext(file) == ".json" {
			documents, err := readManifest(file, content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			list = append(list, documents...)
			continue
		}
		parts, refused := definitions(string(content))
		if refused != nil {
			return nil, fmt.Errorf("%s: %s", file, refused.Message)
		}
		sources = append(sources, source{file, content, parts})
	}
	documents, err := readSources(sources)
	return append(list, documents...), err
}

// documentFiles returns the file itself, or those in a folder that may hold documents. A link is what it points to,
// unless that is a folder, so that what Kubernetes mounts is read once.
func documentFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !holdsDocuments(path) {
			return nil, fmt.Errorf("%s: its name must end in .json, .graphql or .gql", path)
		}
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case at != path && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !holdsDocuments(at):
			return nil
		}
		info, err := os.Stat(at)
		if err == nil && info.Mode().IsRegular() {
			files = append(files, at)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no file in it ends in .json, .graphql or .gql", path)
	}
	return files, err
}

func holdsDocuments(path string) bool {
	return slices.Contains([]string{".json", ".graphql", ".gql"}, filepath.Ext(path))
}

// readManifest reads documents by their ids.
func readManifest(file string, content []byte) ([]kept, error) {
	r, err := newJSONReader(content)
	if err != nil {
		return nil, err
	}
	v, err := r.value(1)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is neither an object of documents by their ids nor a manifest of Apollo")
	}
	if format, ok := object["format"].(string); ok && format == apolloFormat {
		return readApollo(file, object)
	}
	var list []kept
	for _, id := range slices.Sorted(maps.Keys(object)) {
		text, ok := object[id].(string)
		if !ok {
			return nil, fmt.Errorf("what it has under %q is not the text of a document, so it is not a manifest", shorten(id))
		}
		list = append(list, kept{file: file, name: nameOf(text, id), ids: []string{id}, text: text})
	}
	return list, nil
}

func readApollo(file string, manifest map[string]any) ([]kept, error) {
	if version, _ := manifest["version"].(json.Number); version != "1" {
		return nil, errors.New("only version 1 of Apollo's manifest is known")
	}
	operations, ok := manifest["operations"].([]any)
	if !ok {
		return nil, errors.New("the manifest has no list of operations")
	}
	var list []kept
	for i, v := range operations {
		operation, _ := v.(map[string]any)
		id, hasID := operation["id"].(string)
		body, hasBody := operation["body"].(string)
		if !hasID || !hasBody {
			return nil, fmt.Errorf("operation %d has no id or no body", i+1)
		}
		list = append(list, kept{file: file, name: nameOf(body, id), ids: []string{id}, text: body})
	}
	return list, nil
}

// nameOf returns what an error calls a document: by the name of its first operation, else by its id.
func nameOf(text, id string) string {
	parts, _ := definitions(text)
	for _, d := range parts {
		if !d.isFragment && d.name != "" {
			return "operation " + d.name
		}
	}
	return "document " + shorten(id)
}

// source is a file of operations and fragments.
type source struct {
	file    string
	content []byte
	parts   []definition
}

// readSources makes a document of each operation, with the fragments it uses, from whichever file.
func readSources(sources []source) ([]kept, error) {
	fragments, homes := map[string]*definition{}, map[string]string{}
	for _, s := range sources {
		for i := range s.parts {
			d := &s.parts[i]
			if !d.isFragment {
				continue
			}
			if other := fragments[d.name]; other != nil && other.text() != d.text() {
				return nil, fmt.Errorf("%s: fragment %s is another one in %s", s.file, d.name, homes[d.name])
			}
			fragments[d.name], homes[d.name] = d, s.file
		}
	}
	var list []kept
	for _, s := range sources {
		found := operations(s.parts, fragments)
		if len(s.parts) == 0 {
			return nil, fmt.Errorf("%s: there is no operation in it", s.file)
		}
		for _, parts := range found {
			texts := make([]string, len(parts))
			for i, part := range parts {
				texts[i] = part.text()
			}
			one := kept{file: s.file, text: strings.Join(texts, "\n")}
			if parts[0].name != "" {
				one.name = "operation " + parts[0].name
			}
			if len(parts) == len(s.parts) { // the file is this document and nothing else
				sum := sha256.Sum256(s.content)
				one.ids = []string{hex.EncodeToString(sum[:])}
			}
			list = append(list, one)
		}
	}
	return list, nil
}
