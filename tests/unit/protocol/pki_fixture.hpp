// Authorities and certificates in a folder of the test's own.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "common/clock.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::test {

class PkiFixture : public testing::Test {
 protected:
  PkiFixture() {
    folder_ = std::filesystem::temp_directory_path() / ("fw-pki-" + make_uuid_v4().str());
    std::filesystem::create_directories(folder_);
    node_ca_ = save("node-ca", transport::make_ca("test node authority", valid()).value());
    people_ca_ = save("people-ca", transport::make_ca("test people authority", valid()).value());
    server_files_ = issue("server", people_ca_pair(), server_request(), "node-ca");
    node_files_ = issue("node", node_ca_pair(), node_request(), "people-ca");
    person_files_ = issue("person", people_ca_pair(), person_request(), "people-ca");
  }
  ~PkiFixture() override { std::filesystem::remove_all(folder_); }

  static std::int64_t now() { return SystemClock().wall_ns(); }
  static transport::Validity valid() { return transport::Validity::from(now(), std::chrono::hours(24)); }

  static Uuid node_uid() { return Uuid::parse("0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001").value(); }
  static transport::CertificateRequest node_request() { return {transport::PeerIdentity::Kind::node, "node-a", node_uid(), {}, valid()}; }
  static transport::CertificateRequest person_request() { return {transport::PeerIdentity::Kind::person, "alice@example.org", {}, {}, valid()}; }
  static transport::CertificateRequest server_request() {
    return {transport::PeerIdentity::Kind::server, "aggregator", {}, {"aggregator.test", "127.0.0.1"}, valid()};
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  transport::PemPair save(const std::string& name, transport::PemPair pair) const {
    EXPECT_TRUE(transport::write_pem_pair(pair, path(name + ".pem"), path(name + ".key")));
    return pair;
  }
  // Files of a new certificate of `ca` whose holder trusts the authority `trusts`.
  transport::TlsFiles issue(const std::string& name, const transport::PemPair& ca, const transport::CertificateRequest& request,
                            const std::string& trusts) const {
    save(name, transport::issue_certificate(ca, request).value());
    return {path(name + ".pem"), path(name + ".key"), path(trusts + ".pem")};
  }
  const transport::PemPair& node_ca_pair() const { return node_ca_; }
  const transport::PemPair& people_ca_pair() const { return people_ca_; }

  std::filesystem::path folder_;
  transport::PemPair node_ca_, people_ca_;
  transport::TlsFiles server_files_, node_files_, person_files_;   // the server is signed by the people's authority here
};

}  // namespace fw::test
