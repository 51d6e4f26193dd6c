// Package guides embeds the documents of this folder that the server shows.
package guides

import _ "embed"

// Frontend says how to use the server from a frontend, in Markdown.
//
//go:embed frontend.md
var Frontend string
