package visit

// The networks by which callers are told from one another where nobody has to know more of them: what one site usually has.
const (
	networkBits4 = 24
	networkBits6 = 48
)

// Network is the network that the caller is in: the /24 for IPv4, the /48 for IPv6, and "unknown" for a caller without an
// address. It says less of a person than their address does, and much less than Block of IPv6.
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

// SetAPIKey notes the first characters of the API key that the request turned out to be made with. It is safe for
// concurrent use.
func (v *Visit) SetAPIKey(prefix string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.apiKey = prefix
}

// APIKey gives what SetAPIKey noted, "" for nothing: no key, one that is not good, or nobody has asked.
func (v *Visit) APIKey() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.apiKey
}
