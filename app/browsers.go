package app

import "net/http"

// sameSite returns what LATCHKEY_COOKIE_SAMESITE names.
func sameSite(name string) http.SameSite {
	switch name {
	case "Lax":
		return http.SameSiteLaxMode
	case "None":
		return http.SameSiteNoneMode
	default:
		return http.SameSiteStrictMode
	}
}
