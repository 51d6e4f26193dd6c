package contracts

const (
	keyNotFound   = `{"error":"API key not found"}`
	railsNotFound = `{"status":404,"error":"Not Found"}`
)
