// The table of what is a secret. A rule comes before another one that would take only a part of what it takes. Patterns see several lines
// at once (^ and $ are a line's) and stay in one, but for keys in PEM.
#include <array>

#include "node-agent/redaction/redaction.hpp"

namespace fw::redaction {
namespace {

// Part of every key below.
#define FW_SECRET_WORD "(?i)pass|pwd|secret|token|credential|psk|key|sess|otp"

// Words that make the value beside them a secret, in the middle of an identifier as well: DB_PASSWORD_2, clientSecret, x-api-key.
#define FW_SECRET_KEY                                                                                                                  \
  "(?:passw(?:or)?d|passphrase|passwrd|(?:\\b|_)pass|(?-i:[a-z]Pass)|(?:\\b|[_.-]|db)pwd|secret|token|credentials?|\\bpsk|"            \
  "(?:api|access|private|encryption|encrypt|signing|account|shared|master|license|auth|client|service|storage|luks|hmac|session|aes|" \
  "subscription|bearer|root|admin)[ _.-]?key|sess(?:ion)?[_-]?id|\\botp)"                                                              \
  "(?:s|[_.-]?(?:access|key|value|plain|text|hash|b64|base64|base|id|data|string|old|new|prod|dev|test|[0-9]{1,3}))*"

// A value as programs write it: in escaped quotes (JSON in JSON), in quotes, or up to the next space.
#define FW_VALUE "(?:\\\\+[\"'](.*?)(?:\\\\+[\"']|$)|\"((?:[^\"\\\\\\r\\n]|\\\\.)*)\"?|'([^'\\r\\n]*)'?|([^\\s\"'][^\\s]*))"

// The rest of a header: to the quote that ends it, or to the end of the line.
#define FW_REST "(?:\\\\+[\"'](.*?)(?:\\\\+[\"']|$)|\"((?:[^\"\\\\\\r\\n]|\\\\.)*)\"?|'([^'\\r\\n]*)'?|([^\\s\"'\\\\][^\\r\\n]*))"

constexpr auto kRules = std::to_array<Rule>({
    {"pem", "", R"re(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|\z))re", Check::none,
     "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----"},
    // The tail of a log may begin inside a key: all of it before the end goes.
    {"pem_tail", "", R"re(\A(?s:.*?)-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)re", Check::none, "3Tz2mr7S\nZiAM\n-----END PRIVATE KEY-----", "-----END CERTIFICATE-----"},
    {"authorization", "(?i)authorization", R"re((?i)\b(?:proxy-)?authorization\\*["']?\s{0,3}[:=]\s{0,3}\[?)re"
                      R"re((?:\\+["'](.*?)(?:\\+["']|$)|"((?:[^"\\\r\n]|\\.)*)"?|'([^'\r\n]*)'?|((?:basic|bearer|digest|negotiate|ntlm|token|apikey|hmac|aws4)[^\r\n]*|\S{16,})))re",
     Check::none, "Authorization: Basic dXNlcjpwYXNz", "authorization: denied for role guest"},
    {"cookie", "(?i)cookie", R"re((?i)\b(?:set-)?cookies?\\*["']?\s{0,3}[:=]\s{0,3})re" FW_REST, Check::value, "Cookie: sid=31d4d96e407aad42; lang=en", "3 cookies were baked"},
    {"url_password", "@", R"re(\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s:@/"'<>]*:([^\s"'<>]+)@)re", Check::value, "postgres://app:s3cr3t/x@db:5432/shop",
     "http://10.0.0.1:8080/healthz"},
    {"url_user", "@", R"re(://([A-Za-z0-9_.~%-]{20,})@)re", Check::none, "https://0123456789abcdef0123@git.example.com/a.git", "ssh://git@git.example.com/a.git"},
    {"dsn_password", "@(?:tcp|unix|udp)", R"re(\b[\w.-]{1,64}:([^\s@"']+)@(?:tcp|unix|udp)\()re", Check::value, "root:hunter2@tcp(10.0.0.3:3306)/shop", "see joe@tcp(10)"},
    {"netrc", "(?i)login", R"re((?i)\blogin[ \t]+[^\s,;:]+[ \t]+password[ \t]+(\S+))re", Check::value, "machine api.example.com login joe password x7Gq", "login failed, password expired"},
    {"keyed", FW_SECRET_WORD, R"re((?i))re" FW_SECRET_KEY R"re((?:\\*["'])?\]?[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4})re" FW_VALUE, Check::value, R"re("db_password": "it's \"mine\"")re",
     "tokenizer: ready, passed: 12, bypass=1, token_count=7"},
    {"flag", FW_SECRET_WORD, R"re((?i)(?:^|\s)--?[a-z0-9_.-]{0,30})re" FW_SECRET_KEY R"re([ \t]+(?:"((?:[^"\\\r\n]|\\.)*)"?|'([^'\r\n]*)'?|([^\s"'-]\S*)))re", Check::value,
     "kubeadm join --token abcdef.0123456789abcdef 10.0.0.1", "server --token-file /etc/token --secret-name db"},
    {"short_flag", "mysql|mariadb|sshpass|mongo|redis-cli|ldap|htpasswd|smbclient", R"re(\b(?:mysql\w*|mariadb\w*|sshpass|mongo\w*|redis-cli|ldap\w+|htpasswd|smbclient)\b[^|;\r\n]*?[ \t]-(?:p|a|w|b)[ \t]*((?:[^\s'"-]|'|")\S*))re", Check::value,
     "mysqldump -uroot -pS3cret shop", "mysql -P 3306 -h db"},
    {"curl_user", "curl|wget|http ", R"re(\b(?:curl|wget|http)\b[^|;\r\n]*?[ \t](?:-u|--user|--proxy-user|-U)[ =]*["']?[^\s:"']+:([^\s"']+))re", Check::value, "curl -sS -u joe:hunter2 https://x",
     "curl -sS https://x:443/u"},
    {"aws_key_id", "A[KSGIRN][IDOPV]A", R"re(\b((?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z0-9]{16})\b)re", Check::none, "AKIAIOSFODNN7EXAMPLE", "AKIAS"},
    {"github", "gh[pousr]_|github_pat_", R"re(\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}))re", Check::none, "ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_short"},
    {"gitlab", "gl[a-z]{2,5}-", R"re(\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[A-Za-z0-9_-]{20,})re", Check::none, "glpat-0123456789abcdefABCD", "glpat-x"},
    {"slack", "xox|xapp", R"re(\b(?:xox[abposre]|xapp)-[A-Za-z0-9-]{10,})re", Check::none, "xoxb-1234567890-abcdefghij", "xoxb-"},
    {"webhook", "hook", R"re(\b(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks|[a-z0-9-]+\.webhook\.office\.com/webhookb2)/(\S+))re", Check::none,
     "https://hooks.slack.com/services/T00/B00/XXXX", "https://hooks.slack.com/"},
    {"google", "AIza|ya29|GOCSPX", R"re(\b(?:AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,}))re", Check::none, "AIzaSyA-0123456789abcdefghijklmnopqrstu", "AIza"},
    {"stripe", "k_live_|k_test_|whsec_", R"re(\b(?:[srp]k_(?:live|test)_|whsec_)[0-9A-Za-z]{16,})re", Check::none, "sk_test_0123456789abcdefABCDEFGH", "pk_test"},
    {"sendgrid", "SG\\.", R"re(\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})re", Check::none, "SG.0123456789abcdefghijkl.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", "SG.1.2"},
    {"twilio", "SK[0-9a-f]", R"re(\bSK[0-9a-f]{32}\b)re", Check::none, "SK0123456789abcdef0123456789abcdef", "SK0123"},
    {"package_index", "npm_|pypi-|dckr_|rubygems_", R"re(\b(?:npm_[A-Za-z0-9]{36,}|pypi-[A-Za-z0-9_-]{40,}|dckr_[po]at_[A-Za-z0-9_-]{20,}|rubygems_[0-9a-f]{48}))re", Check::none,
     "npm_0123456789abcdefghijklmnopqrstuvwxyz", "npm_config_cache"},
    {"cloud_token", "_v1_|atlasv1|dapi|NRAK|glsa_|shp[acs]|dp\\.pt", R"re(\b(?:do[opr]_v1_[a-f0-9]{64}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}|dapi[a-f0-9]{32}|NRAK-[A-Z0-9]{27}|glsa_[A-Za-z0-9_]{32,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|dp\.pt\.[A-Za-z0-9]{40,}))re",
     Check::none, "dapi0123456789abcdef0123456789abcdef", "dapi"},
    {"vault", "hv[sbr]\\.|s\\.[A-Za-z0-9]", R"re(\b(?:hv[sbr]\.[A-Za-z0-9_-]{24,}|s\.[A-Za-z0-9]{24}\b))re", Check::token, "hvs.CAESIJ0123456789abcdefghijkl", "hvs.x"},
    {"model_api", "sk-|hf_", R"re(\b(?:sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}))re", Check::token, "sk-proj-0123456789abcdefghijABCDEFGHIJ", "sk-learn"},
    {"bot", "[0-9]:[A-Za-z0-9_-]{4}", R"re((?:^|[^0-9])([0-9]{8,10}:[A-Za-z0-9_-]{35}))re", Check::none, "bot123456789:AAE0123456789abcdefghijklmnopqrstuv", "12:34:56"},
    {"age", "AGE-", R"re(\bAGE-SECRET-KEY-1[0-9A-Z]{50,})re", Check::none, "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", "AGE-SECRET-KEY"},
    {"jwt", "eyJ", R"re(\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,4})re", Check::none, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJ"},
    {"bearer", "(?i)bearer|basic", R"re((?i)\b(?:bearer|basic)[ +]{1,3}([A-Za-z0-9._~+/=-]{8,}))re", Check::token, "sent bearer 0a1b2c3d4e5f", "bearer authentication is required"},
    {"url_parameter", "[?&]", R"re((?i)[?&](?:[a-z_-]*token|code|sig|signature|key|auth|ticket|x-amz-(?:signature|credential|security-token)|x-goog-signature|sid|pin)=([^&\s"'#]{4,}))re", Check::value,
     "/cb?code=4/0AX4XfWh&state=1", "/list?page=2&order=key"},
    {"crypt_hash", "\\$(?:1|2[abxy]|5|6|7|y|gy|argon2|scrypt|apr1|pbkdf2)", R"re(\$(?:1|2[abxy]|5|6|7|y|gy|argon2id?|argon2i|scrypt|apr1|pbkdf2[\w-]*)\$[A-Za-z0-9./$=,+-]{12,})re", Check::none,
     "joe:$6$rounds=5000$salt$0123456789abcdef", "costs $5 and $6"},
    {"card", "", R"re(\b([3-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,4}|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5})\b)re", Check::card, "card 4111 1111 1111 1111", "order 4111111111111112"},
    {"base64_key", "", R"re((?:^|[\s"':=,>])([A-Za-z0-9+/]{40,}={0,2})(?:$|[\s"',<\\]))re", Check::base64, "F stdout MIIEpAIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9Oi4J0HZC9hL0R1wqZ5xk2vQ8p7E",
     "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
});

}  // namespace

std::span<const Rule> builtin_rules() { return kRules; }

}  // namespace fw::redaction
