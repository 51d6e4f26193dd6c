package assets

import "slices"

// The names of the pages that the bar leads to.
const (
	Home       = "home"
	Playground = "playground"
	Docs       = "docs"
	Mailbox    = "mailbox"
	Account    = "account"
)

// Door is a page that the bar leads to.
type Door struct {
	Name  string // one of the names above
	Title string
	About string // a sentence for the start page
	Path  string // without the prefix of the site
}

// Bar is the bar at the top of every page: the way home, and the doors that this server has.
//
// A page takes part in four steps. Its templates come from [Templates], its data has a field Bar with Bar.At(NAME), and
// its HTML begins like this, with style sheets and scripts of its own before </head>:
//
//	{{template "head" "The title"}}<link rel="stylesheet" href="{{asset "own.css"}}">
//	</head>
//	<body>
//	{{template "bar" .Bar}}
//	<main id="content">
//
// base.css has the colours, the fonts, and the classes that pages share. Links of a page are written {{url "/docs"}}.
type Bar struct {
	Home  bool // whether the start page exists
	Doors []Door
	here  string
}

// At returns the bar of a page with this name, "" for a page without a door.
func (b Bar) At(name string) Bar {
	b.here = name
	return b
}

// Here tells whether this is the bar of the page with that name. It is for the templates.
func (b Bar) Here(name string) bool { return b.here == name }

// Has tells whether the server has the page.
func (b Bar) Has(name string) bool {
	return name == Home && b.Home || slices.ContainsFunc(b.Doors, func(d Door) bool { return d.Name == name })
}
