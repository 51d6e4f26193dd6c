package docs

// graphqlPage is /docs/graphql: how the API is called, and the list of its operations.
type graphqlPage struct {
	frame
	About  [][]piece
	Facts  []fact
	Topics []topic
}

func (c *contractView) graphqlPageOf(f frame) graphqlPage {
	cfg := c.cfg
	return graphqlPage{
		frame: f, About: c.links.prose(c.About, ""), Topics: c.topics(""),
		Facts: []fact{
			{"Endpoint", []line{
				{"POST " + cfg.Site.URL("/graphql"), "with a JSON body"},
				{"GET " + cfg.Site.URL("/graphql"), "for queries, with a header that no link can send: " +
					"Authorization, " +
					"Content-Type or Apollo-Require-Preflight"},
			}},
			{"Credentials", []line{
				{"Authorization: Bearer …", "an access token, a session token or an API key"},
				{"X-API-Key: …", "for API keys"},
				{"", "or the session cookie"},
			}},
			{"Tokens", []line{
				{"", "Access tokens live for " + formatDuration(cfg.Access)},
				{"", "A session ends when it is not used for " + formatDuration(cfg.Idle) +
					", and after " + formatDuration(cfg.Session) + " in any case"},
			}},
			{"Refusals", []line{
				{"userErrors", "of a mutation say why it had no effect: code, message, field"},
				{"errors[].extensions.code", "for everything else"},
			}},
		},
	}
}
