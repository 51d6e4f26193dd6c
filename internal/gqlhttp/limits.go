package gqlhttp

// The limits of a document from outside. The introspection query of graphql-js has about 70 fields written, 230
// expanded, and a depth of 15. GraphiQL sends a whole tab, with all of its operations.
const (
	maxTokens      = 1000 // of a document, comments included
	maxOperations  = 20   // of a document
	maxWritten     = 200  // fields of an operation as written, each fragment once
	maxExpanded    = 500  // fields of an operation, fragments expanded at every spread
	maxSpreads     = 40   // of an operation, expanded
	maxDepth       = 20   // of fields within fields
	maxAliases     = 30   // of a query, expanded
	maxMutated     = 10   // aliases of a mutation, expanded: each may change something (GQ-13)
	maxDirectives  = 20   // of an operation, expanded
	maxInlineDepth = 5    // of inline fragments on one path
	maxMeta        = 2    // fields __schema and __type of an operation, which fetch the whole schema in few fields
	maxValueDepth  = 32   // of lists and objects in a literal
	maxCost        = 3000 // of an operation: see checkCost
	maxPage        = 100  // the greatest value of first and last
)

// The limits of a request.
const (
	maxBody   = 128 << 10 // bytes; more is 413
	maxURL    = 8 << 10   // bytes; more is 414
	maxErrors = 10        // in an answer
)

// The size of the cache of documents. The keys are whole texts: 500 of 8 KiB are 4 MiB.
const (
	cachedDocuments = 500
	maxCachedText   = 8 << 10 // bytes; a longer document is not cached
)
