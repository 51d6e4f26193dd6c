package docs

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	guides "github.com/dragoman-auth/dragoman/docs"
	"github.com/dragoman-auth/dragoman/internal/site"
)

// guidePath is the page that says how to use the server from a frontend.
const guidePath = "/docs/graphql/frontend"

// guidePage is /docs/graphql/frontend: docs/frontend.md as a page.
type guidePage struct {
	frame
	Sections []section
	Text     template.HTML
}

// section is a heading of the guide.
type section struct{ Title, Anchor string }

// htmlComment is a note to the tests of the guide, which names the file that a piece of code comes from.
var htmlComment = regexp.MustCompile(`(?m)^<!--.*-->\n`)

// guideOf renders the guide, with the address of this server in the place of the one for development.
func guideOf(at site.Site) (sections []section, page template.HTML) {
	source := []byte(htmlComment.ReplaceAllString(
		strings.ReplaceAll(guides.Frontend, "http://localhost:8080", at.URL("")), ""))
	markdown := goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(&guideRenderer{}, 100))),
	)
	root := markdown.Parser().Parse(text.NewReader(source))
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok && h.Level == 2 {
			id, _ := h.AttributeString("id")
			anchor, _ := id.([]byte)
			sections = append(sections, section{string(h.Lines().Value(source)), string(anchor)})
		}
	}
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, root); err != nil {
		panic(fmt.Sprintf("docs: render the guide: %v", err))
	}
	return sections, template.HTML(out.String()) //nolint:gosec // our own text, and goldmark leaves raw HTML out
}

// guideRenderer writes code as panels with a button to copy it, and links to files of the source as their names.
type guideRenderer struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (g *guideRenderer) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, g.code)
	r.Register(ast.KindLink, g.link)
}

func (g *guideRenderer) code(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	block, ok := node.(*ast.FencedCodeBlock)
	if !ok || !entering {
		return ast.WalkContinue, nil
	}
	_, err := fmt.Fprintf(w, `<div class="panel"><div class="bar"><span>%s</span>`+
		`<button type="button" class="copy" hidden>Copy</button></div><pre tabindex="0"><code>%s</code></pre></div>`+
		"\n",
		util.EscapeHTML(block.Language(source)), util.EscapeHTML(block.Lines().Value(source)))
	return ast.WalkSkipChildren, err
}

// link writes a link. One to another file of the source has no page here, and becomes its text.
func (g *guideRenderer) link(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	link, ok := node.(*ast.Link)
	if !ok {
		return ast.WalkContinue, nil
	}
	target := string(link.Destination)
	if !strings.HasPrefix(target, "#") && !strings.HasPrefix(target, "https://") &&
		!strings.HasPrefix(target, "http://") {
		return ast.WalkContinue, nil
	}
	var err error
	if entering {
		_, err = fmt.Fprintf(w, `<a href="%s">`, util.EscapeHTML(util.URLEscape(link.Destination, true)))
	} else {
		_, err = w.WriteString("</a>")
	}
	return ast.WalkContinue, err
}

var _ renderer.NodeRenderer = (*guideRenderer)(nil)
