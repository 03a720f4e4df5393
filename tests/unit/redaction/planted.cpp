#include "planted.hpp"

#include <array>
#include <functional>
#include <string_view>

namespace fw::testing {
namespace {

constexpr const char* kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr const char* kAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr const char* kHex = "0123456789abcdef";
constexpr const char* kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr const char* kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr const char* kUrlSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
constexpr const char* kPassword = "ABCDEFGHIJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!#%^*_+.~-";

// What surrounds a secret that is recognised by its own form.
constexpr std::array<std::string_view, 10> kCarriers{
    "2026-11-24T19:00:01.123456789Z stdout F level=info msg=\"sent request\" with={} took=12ms",
    R"({"log":"connect to backend with {} now\n","stream":"stderr","time":"2026-11-24T19:00:01Z"})",
    "/usr/bin/app --listen :8080 {} --verbose",
    "UPSTREAM_BLOB={}",
    "[ 1234.567890] app[4711]: segfault handler: last argument {}",
    "GET /hook?blob={}&page=2 HTTP/1.1",
    "Error: unexpected answer ({}) from peer 10.0.0.7:443",
    R"(    at handler.go:42 map[string]string{"x":"{}"})",
    "{}",
    "a,b,{},d",
};

// A key and its value, as programs, environments, URLs and the kernel's command line write them.
constexpr std::array<std::string_view, 30> kKeyed{
    "DB_PASSWORD={}",
    "export API_KEY='{}'",
    "password: {}",
    R"({"user":"joe","password":"{}","n":1})",
    R"({"log":"{\"client_secret\":\"{}\",\"n\":1}\n","stream":"stdout"})",
    "app --db-password={} --port 80",
    "app --token {} serve",
    "app --api-key \"{}\" serve",
    "postgres://app:{}@db.internal:5432/shop?sslmode=disable",
    "redis://:{}@cache:6379/0",
    "amqp://guest:{}@mq:5672/%2f",
    "mongodb+srv://joe:{}@cluster0.example.net/test",
    "https://joe:{}@git.example.com/repo.git",
    "Server=db;Database=shop;User Id=sa;Password={};Encrypt=yes",
    "root:{}@tcp(10.0.0.3:3306)/shop",
    "mysql -uroot -p{} -h db shop",
    "sshpass -p {} ssh joe@host",
    "curl -sS -u joe:{} https://api.example.com/",
    "[    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 wpa.psk={} quiet",
    "[  812.1] CIFS: mount option pass={} rejected",
    "GET /login?user=joe&access_token={} HTTP/1.1",
    "Authorization: Bearer {}",
    R"(header {"Authorization":["Token {}"]} sent)",
    "Proxy-Authorization: Basic {}",
    "> Cookie: sid={}; theme=dark",
    "Set-Cookie: session={}; HttpOnly; Path=/",
    "machine api.example.com login joe password {}",
    "clientSecret => '{}'",
    "x-api-key: {}",
    "secret_key_base = {}",
};

std::string put(std::string_view carrier, const std::string& secret) {
  std::string text(carrier);
  const auto at = text.find("{}");
  return text.replace(at, 2, secret);
}

std::string with_check_digit(std::string digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int doubled = (digits[digits.size() - 1 - i] - '0') * (i % 2 == 0 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits + static_cast<char>('0' + (10 - sum % 10) % 10);
}

}  // namespace

std::string Planter::chars(const char* alphabet, std::size_t count) {
  const std::string_view all(alphabet);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(all[random_() % all.size()]);
  return out;
}

Planted Planter::next() {
  struct Shape {
    const char* name;
    std::function<std::string(Planter&)> make;
  };
  static const std::array<Shape, 26> kShapes{{
      {"aws key id", [](Planter& p) { return "AKIA" + p.chars(kUpper, 16); }},
      {"github", [](Planter& p) { return "ghp_" + p.chars(kAlnum, 36); }},
      {"github fine-grained", [](Planter& p) { return "github_pat_" + p.chars(kUrlSafe, 70); }},
      {"gitlab", [](Planter& p) { return "glpat-" + p.chars(kUrlSafe, 20); }},
      {"slack", [](Planter& p) { return "xoxb-" + p.chars("0123456789", 12) + "-" + p.chars(kAlnum, 24); }},
      {"slack webhook", [](Planter& p) { return "https://hooks.slack.com/services/T" + p.chars(kUpper, 8) + "/B" + p.chars(kUpper, 8) + "/" + p.chars(kAlnum, 24); }},
      {"google key", [](Planter& p) { return "AIza" + p.chars(kUrlSafe, 35); }},
      {"google token", [](Planter& p) { return "ya29." + p.chars(kUrlSafe, 60); }},
      {"stripe", [](Planter& p) { return "sk_live_" + p.chars(kAlnum, 24); }},
      {"sendgrid", [](Planter& p) { return "SG." + p.chars(kUrlSafe, 22) + "." + p.chars(kUrlSafe, 43); }},
      {"twilio", [](Planter& p) { return "SK" + p.chars(kHex, 32); }},
      {"npm", [](Planter& p) { return "npm_" + p.chars(kAlnum, 36); }},
      {"pypi", [](Planter& p) { return "pypi-" + p.chars(kUrlSafe, 80); }},
      {"docker", [](Planter& p) { return "dckr_pat_" + p.chars(kUrlSafe, 27); }},
      {"digitalocean", [](Planter& p) { return "dop_v1_" + p.chars(kHex, 64); }},
      {"databricks", [](Planter& p) { return "dapi" + p.chars(kHex, 32); }},
      {"vault", [](Planter& p) { return "hvs." + p.chars(kUrlSafe, 90); }},
      {"model api", [](Planter& p) { return "sk-proj-" + p.chars(kUrlSafe, 48); }},
      {"hugging face", [](Planter& p) { return "hf_" + p.chars(kAlnum, 34); }},
      {"telegram bot", [](Planter& p) { return "1" + p.chars("0123456789", 8) + ":" + p.chars(kUrlSafe, 35); }},
      {"age", [](Planter& p) { return "AGE-SECRET-KEY-1" + p.chars(kUpper, 58); }},
      {"jwt", [](Planter& p) { return "eyJ" + p.chars(kUrlSafe, 33) + ".eyJ" + p.chars(kUrlSafe, 60) + "." + p.chars(kUrlSafe, 43); }},
      {"crypt hash", [](Planter& p) { return "$6$" + p.chars(kAlnum, 16) + "$" + p.chars(kAlnum, 86); }},
      {"card", [](Planter& p) { return with_check_digit("4" + p.chars("0123456789", 14)); }},
      {"card with spaces", [](Planter& p) {
         const auto digits = with_check_digit("5" + p.chars("0123456789", 14));
         return digits.substr(0, 4) + " " + digits.substr(4, 4) + " " + digits.substr(8, 4) + " " + digits.substr(12);
       }},
      {"pem", [](Planter& p) {
         std::string key = "-----BEGIN RSA PRIVATE KEY-----\n";
         for (int i = 0; i < 6; ++i) key += p.chars(kBase64, 64) + "\n";
         return key + p.chars(kBase64, 20) + "==\n-----END RSA PRIVATE KEY-----";
       }},
  }};
  static const std::array<Shape, 5> kValues{{
      {"word", [](Planter& p) { return "q" + p.chars(kLower, 7); }},
      {"password", [](Planter& p) { return "k" + p.chars(kPassword, 11); }},
      {"long password", [](Planter& p) { return "k" + p.chars(kPassword, 39); }},
      {"hexadecimal", [](Planter& p) { return "7" + p.chars(kHex, 63); }},
      {"base64", [](Planter& p) { return "Z7a" + p.chars(kBase64, 39) + "=="; }},
  }};

  const auto turn = turn_++;
  if (turn % 2 == 0) {
    const auto& shape = kShapes[turn / 2 % kShapes.size()];
    const auto secret = shape.make(*this);
    const auto carrier = kCarriers[turn / 2 / kShapes.size() % kCarriers.size()];
    return {std::string(shape.name) + " in " + std::string(carrier), put(carrier, secret), secret};
  }
  const auto& value = kValues[turn / 2 % kValues.size()];
  const auto carrier = kKeyed[turn / 2 / kValues.size() % kKeyed.size()];
  auto secret = value.make(*this);
  // A header with a scheme takes what such headers hold.
  if ((carrier.find("Bearer") != carrier.npos || carrier.find("Basic") != carrier.npos) && secret.size() < 9) secret += "0" + chars(kAlnum, 8);
  return {std::string(value.name) + " in " + std::string(carrier), put(carrier, secret), secret};
}

}  // namespace fw::testing
