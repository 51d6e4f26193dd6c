package visit

// The prefix lengths of a network: the addresses that one site usually has.
const (
	networkBits4 = 24
	networkBits6 = 48
)

// Network is the caller's network prefix: the /24 for IPv4, the /48 for IPv6, "unknown" without an address. It
// identifies a person less than an address or a Block does.
func (v *Visit) Network() string {
	ip := v.IP.Unmap().WithZone("")
	bits := networkBits6
	if ip.Is4() {
		bits = networkBits4
	}
	prefix, err := ip.Prefix(bits)
	if err != nil || !ip.IsValid() {
		return "unknown"
	}
	return prefix.String()
}

// SetAPIKey sets the prefix of the valid API key of the request. It is safe for concurrent use.
func (v *Visit) SetAPIKey(prefix string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.apiKey = prefix
}

// APIKey returns the prefix of the valid API key, "" for no key, for an invalid one, or if no resolver has checked it.
func (v *Visit) APIKey() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.apiKey
}

// SetLegacyToken notes that the request was made with a valid access token of a former system.
func (v *Visit) SetLegacyToken() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.legacy = true
}

// LegacyToken tells whether a resolver took an access token of a former system.
func (v *Visit) LegacyToken() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.legacy
}
