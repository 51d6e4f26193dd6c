package harness

const (
	UpdateMeDoc = `mutation U($input: UpdateMeInput!) { updateMe(input: $input) {
  user { id email emailVerified username name metadata createdAt updatedAt } tokens { accessToken refreshToken ` +
		`sessionToken tokenType expiresIn }
  userErrors { code message field retryAfterSeconds } } }`
	ChangePasswordDoc = `mutation P($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } ` +
		`userErrors { code message field retryAfterSeconds } } }`
	ChangeEmailDoc = `mutation E($input: ChangeEmailInput!) { changeEmail(input: $input) { user { id email ` +
		`emailVerified } userErrors { code message field retryAfterSeconds } } }`
	SudoDoc = `mutation S($input: SudoInput!) { sudo(input: $input) { sudoExpiresAt userErrors { code ` +
		`message field retryAfterSeconds } } }`
	DeleteAccountDoc = `mutation { deleteAccount { userErrors { code message field } } }`
	ExportDoc        = `mutation { exportMyData { data userErrors { code message field } } }`
	NewPass          = "another horse battery staple"
)

const (
	UsersDoc = `query Users($first: Int, $after: String, $last: Int, $before: String, $filter: UserFilter) { ` +
		`users(first: $first, after: $after, last: $last, before: $before, filter: $filter) { nodes { id email } ` +
		`edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`
	CreateUserDoc = `mutation C($input: CreateUserInput!) { createUser(input: $input) { user { ` + UserParts +
		` } userErrors { code message field } } }`
	UpdateUserDoc = `mutation U($input: UpdateUserInput!) { updateUser(input: $input) { user { ` + UserParts +
		` } userErrors { code message field } } }`
	SuspendDoc = `mutation S($input: SuspendUserInput!) { suspendUser(input: $input) { user { id status } ` +
		`userErrors { code message field } } }`
	ReactivateDoc = `mutation R($input: ReactivateUserInput!) { reactivateUser(input: $input) { user { id status } ` +
		`userErrors { code message field } } }`
	UnlockDoc = `mutation U($input: UnlockUserInput!) { unlockUser(input: $input) { user { id security { failures ` +
		`lockedUntil passwordDisabledAt } } userErrors { code message field } } }`
	DeleteUserDoc = `mutation D($input: DeleteUserInput!) { deleteUser(input: $input) { deletedUserId userErrors { ` +
		`code message field } } }`
	EndUserDoc = `mutation E($input: RevokeUserSessionsInput!) { revokeUserSessions(input: $input) { revokedCount ` +
		`userErrors { code message field } } }`
)

const (
	DropKeyDoc = `mutation D($input: DeleteApiKeyInput!) { deleteApiKey(input: $input) { deletedApiKeyId ` +
		`userErrors { code message field } } }`
	EndSessionDoc = `mutation R($input: RevokeSessionInput!) { revokeSession(input: $input) { revokedSessionId ` +
		`userErrors { code message field } } }`
	EndOthersDoc = `mutation { revokeOtherSessions { revokedCount userErrors { code message field } } }`
)

// The documents that most tests send.
const (
	RegisterDoc = `mutation Register($input: RegisterInput!) { register(input: $input) {
  user { id number email username name metadata } session { id number } tokens { accessToken refreshToken ` +
		`sessionToken expiresIn expiresAt tokenType } deviceToken
  userErrors { code message field retryAfterSeconds } } }`
	LoginDoc = `mutation Login($input: LoginInput!) { login(input: $input) {
  user { id email } session { id number } tokens { accessToken refreshToken sessionToken expiresIn } deviceToken
  userErrors { code message field retryAfterSeconds } } }`
	RefreshDoc = `mutation Refresh($token: String!) { refresh(input: {refreshToken: $token}) {
  user { id } session { id } tokens { accessToken refreshToken sessionToken }
  userErrors { code message field } } }`
	LogoutDoc   = `mutation Logout($input: LogoutInput) { logout(input: $input) { userErrors { code message field } } }`
	MeDoc       = `{ me { id email } }`
	SessionsDoc = `{ sessions { id number isCurrent userAgent ipAddress authMethods createdAt updatedAt expiresAt ` +
		`device { name client os } } }`
	KeysDoc   = `{ keys { id name prefix scopes createdAt lastUsedAt expiresAt } }`
	CreateKey = `mutation Create($input: CreateApiKeyInput! = {}) { createApiKey(input: $input) { apiKey { id prefix ` +
		`scopes } secret userErrors { code message field } } }`
	GoodPass = "correct horse battery staple"
)

// The documents of the flows that go through a mailbox.
const (
	SendVerifyDoc = `mutation S($input: SendVerificationEmailInput) { sendVerificationEmail(input: $input) { ` +
		`userErrors { code message field } } }`
	VerifyDoc = `mutation V($input: VerifyEmailInput!) { verifyEmail(input: $input) { email user { id email ` +
		`emailVerified } userErrors { code message field } } }`
	AskResetDoc = `mutation A($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { userErrors ` +
		`{ code message field } } }`
	ResetDoc = `mutation R($input: ResetPasswordInput!) { resetPassword(input: $input) {
  user { id email emailVerified } session { id } tokens { accessToken } userErrors { code message field } } }`
	SendPhoneCodeDoc = `mutation S($input: SendPhoneCodeInput) { sendPhoneCode(input: $input) { userErrors { code } } }`
	AskCodeDoc       = `mutation A($input: RequestLoginCodeInput!) { requestLoginCode(input: $input) { userErrors { code ` +
		`} } }`
	LoginCodeDoc = `mutation L($input: LoginWithCodeInput!) { loginWithCode(input: $input) { user { id } userErrors { ` +
		`code } } }`
	AskMagicDoc = `mutation A($input: RequestMagicLinkInput!) { requestMagicLink(input: $input) { userErrors { code ` +
		`message field } } }`
	MagicDoc = `mutation M($input: LoginWithMagicLinkInput!) { loginWithMagicLink(input: $input) {
  user { id email emailVerified } session { id authMethods sudoExpiresAt } tokens { accessToken refreshToken ` +
		`sessionToken } userErrors { code message field } } }`
)

const (
	UpdateKeyDoc = `mutation U($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id name prefix ` +
		`scopes createdAt expiresAt } userErrors { code message field } } }`
	RotateKeyDoc = `mutation R($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { apiKey { id name prefix ` +
		`scopes createdAt } secret userErrors { code message field } } }`
	NodeDoc = `query N($id: ID!) { node(id: $id) { __typename id ... on User { email } ... on Session { isCurrent ` +
		`device { name } } ... on ApiKey { name } } }`
	NodesDoc = `query N($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`
)

const (
	CurrentDoc       = `{ currentCredential { kind permissions expiresAt session { id } apiKey { id } } }`
	OneSessionDoc    = `query One($id: ID, $number: Int) { session(id: $id, number: $number) { id number } }`
	RevokeSessionDoc = `mutation Revoke($input: RevokeSessionInput!) { revokeSession(input: $input) { ` +
		`revokedSessionId userErrors { code message field } } }`
	RevokeOthersDoc = `mutation Others { revokeOtherSessions { revokedCount userErrors { code message field } } }`
	DeleteKeyDoc    = `mutation Delete($id: ID!) { deleteApiKey(input: {id: $id}) { deletedApiKeyId userErrors { ` +
		`code message field } } }`
)

const (
	WrongPass = "wrong horse battery staple"
)

// UsageDoc lists the calls of dialects.
const UsageDoc = `query Usage($since: DateTime, $dialect: String, $first: Int, ` +
	`$routes: Int! = 50, $skip: Int! = 0) { dialectUsage(since: $since, dialect: $dialect, first: $routes, ` +
	`skip: $skip) {
  dialect route isMounted count refusedCount lastCallAt deprecatedAt sunsetAt successor
  callers(first: $first) { kind value addressBlock count refusedCount lastCallAt } } }`
