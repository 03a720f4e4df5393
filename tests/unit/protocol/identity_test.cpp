#include <gmock/gmock.h>

#include "protocol/transport/openssl.hpp"
#include "protocol/transport/pki.hpp"
#include "tests/unit/protocol/pki_fixture.hpp"

namespace fw::transport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = PeerIdentity::Kind;

class Pki : public test::PkiFixture {
 protected:
  CertificateInfo info(const CertificateRequest& request) { return certificate_info(issue_certificate(people_ca_pair(), request)->certificate).value(); }
};

TEST_F(Pki, a_node_is_named_by_its_uid) {
  const auto node = info(node_request());
  EXPECT_EQ(node.identity.kind, Kind::node);
  EXPECT_EQ(node.identity.node_uid, node_uid());
  EXPECT_EQ(node.identity.name, "node-a");
  EXPECT_EQ(node.issuer, "test people authority");
}

TEST_F(Pki, a_person_is_named_by_the_common_name) {
  const auto person = info(person_request());
  EXPECT_EQ(person.identity.kind, Kind::person);
  EXPECT_EQ(person.identity.name, "alice@example.org");
}

TEST_F(Pki, a_server_has_its_names) {
  const auto server = info(server_request());
  EXPECT_EQ(server.identity.kind, Kind::server);
  EXPECT_THAT(server.server_names, ElementsAre("aggregator.test", "127.0.0.1"));
}

TEST_F(Pki, an_authority_is_nobody) {
  const auto ca = certificate_info(node_ca_pair().certificate).value();
  EXPECT_TRUE(ca.is_ca);
  EXPECT_EQ(ca.identity.kind, Kind::none);
  EXPECT_EQ(ca.subject, "test node authority");
}

TEST_F(Pki, validity_is_kept_in_whole_seconds) {
  auto request = node_request();
  request.validity = {1'700'000'000'000'000'000, 4'000'000'000'123'456'789};   // after 2050: another encoding inside
  const auto node = info(request);
  EXPECT_EQ(node.not_before_ns, 1'700'000'000'000'000'000);
  EXPECT_EQ(node.not_after_ns, 4'000'000'000'000'000'000);
  EXPECT_EQ(node.identity.not_after_ns, node.not_after_ns);
}

TEST_F(Pki, refuses_requests_that_make_no_sense) {
  const auto refuse = [&](const char* text, const std::function<void(CertificateRequest&)>& change, CertificateRequest request) {
    change(request);
    const auto pair = issue_certificate(people_ca_pair(), request);
    ASSERT_FALSE(pair) << text;
    EXPECT_EQ(pair.error().code, Errc::invalid_argument);
    EXPECT_THAT(pair.error().message(), HasSubstr(text));
  };
  refuse("a role is needed", [](auto& r) { r.role = Kind::none; }, node_request());
  refuse("a node needs its uid", [](auto& r) { r.node_uid = Uuid{}; }, node_request());
  refuse("1 to 64 bytes", [](auto& r) { r.name = ""; }, node_request());
  refuse("1 to 64 bytes", [](auto& r) { r.name = std::string(65, 'x'); }, node_request());
  refuse("1 to 64 bytes", [](auto& r) { r.name = "a\nb"; }, node_request());
  refuse("a person's name", [](auto& r) { r.name = "alice/admin"; }, person_request());
  refuse("validity is empty", [](auto& r) { r.validity.not_after_ns = r.validity.not_before_ns; }, node_request());
  refuse("a server needs the names", [](auto& r) { r.server_names.clear(); }, server_request());
  refuse("is no server name", [](auto& r) { r.server_names = {"a b"}; }, server_request());
  refuse("is no server name", [](auto& r) { r.server_names = {"DNS:x,URI:y"}; }, server_request());
}

TEST_F(Pki, the_key_of_another_authority_does_not_sign) {
  const auto pair = issue_certificate(PemPair{people_ca_pair().certificate, node_ca_pair().key}, node_request());
  ASSERT_FALSE(pair);
  EXPECT_THAT(pair.error().message(), HasSubstr("authority: key"));
}

TEST_F(Pki, names_what_is_no_certificate) {
  EXPECT_EQ(certificate_info("").error().code, Errc::malformed);
  EXPECT_EQ(certificate_info("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").error().code, Errc::malformed);
}

// Certificates that our own pki would never issue, but another authority might. Self-signed: identity_of() looks at content only.
CertificatePtr foreign(EVP_PKEY* key, const char* names, const char* usage, const char* common_name = "alice") {
  CertificatePtr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_set_pubkey(certificate.get(), key);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  const auto* name = reinterpret_cast<const unsigned char*>(common_name);
  if (*common_name != 0) X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, MBSTRING_UTF8, name, -1, -1, 0);
  for (const auto& [nid, value] : {std::pair{NID_subject_alt_name, names}, std::pair{NID_ext_key_usage, usage}}) {
    if (*value == 0) continue;
    const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
    X509_add_ext(certificate.get(), extension.get(), -1);
  }
  X509_sign(certificate.get(), key, EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256());
  return certificate;
}

TEST(IdentityOf, takes_what_names_exactly_one) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const KeyPtr edwards(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_EQ(identity_of(foreign(key.get(), "", "clientAuth").get())->kind, Kind::person);
  EXPECT_EQ(identity_of(foreign(edwards.get(), "", "clientAuth").get())->kind, Kind::person);
  EXPECT_EQ(identity_of(foreign(key.get(), "URI:https://else.where/x,URI:spiffe://fleetwright/person/alice", "clientAuth").get())->name, "alice");
  EXPECT_EQ(identity_of(foreign(key.get(), "URI:spiffe://fleetwright/node/0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001", "clientAuth,serverAuth").get())->kind,
            Kind::node);
}

TEST(IdentityOf, refuses_everything_in_doubt) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const KeyPtr other_curve(EVP_EC_gen("P-384"));
  const KeyPtr rsa(EVP_RSA_gen(2048));
  struct Doubt {
    const char* text;
    EVP_PKEY* key;
    const char* names;
    const char* usage;
    const char* common_name;
  };
  const std::vector<Doubt> doubts = {
      {"another kind than P-256", other_curve.get(), "", "clientAuth", "alice"},
      {"another kind than P-256", rsa.get(), "", "clientAuth", "alice"},
      {"does not say what it may be used for", key.get(), "", "", "alice"},
      {"is for another purpose", key.get(), "", "codeSigning", "alice"},
      {"no common name", key.get(), "", "clientAuth", ""},
      {"several fleetwright URIs", key.get(), "URI:spiffe://fleetwright/person/alice,URI:spiffe://fleetwright/person/alice", "clientAuth", "alice"},
      {"names another person", key.get(), "URI:spiffe://fleetwright/person/bob", "clientAuth", "alice"},
      {"names another person", key.get(), "URI:spiffe://fleetwright/admin/alice", "clientAuth", "alice"},
      {"names no node", key.get(), "URI:spiffe://fleetwright/node/x", "clientAuth", "n"},
      {"names no node", key.get(), "URI:spiffe://fleetwright/node/0193AAAA-bbbb-7ccc-8ddd-eeeeffff0001", "clientAuth", "n"},
      {"names no node", key.get(), "URI:spiffe://fleetwright/node/0193aaaabbbb7ccc8dddeeeeffff0001", "clientAuth", "n"},
      {"names no node", key.get(), "URI:spiffe://fleetwright/node/00000000-0000-0000-0000-000000000000", "clientAuth", "n"},
  };
  for (const auto& doubt : doubts) {
    const auto identity = identity_of(foreign(doubt.key, doubt.names, doubt.usage, doubt.common_name).get());
    ASSERT_FALSE(identity) << doubt.text << ", " << doubt.names;
    EXPECT_EQ(identity.error().code, Errc::permission);
    EXPECT_THAT(identity.error().message(), HasSubstr(doubt.text)) << doubt.names;
  }
}

}  // namespace
}  // namespace fw::transport
