#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "protocol/transport/pki.hpp"
#include "tests/unit/protocol/pki_fixture.hpp"

namespace fw::transport {
namespace {

using testing::HasSubstr;

class PemFiles : public test::PkiFixture {
 protected:
  static unsigned mode_of(const std::string& file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
  }
};

TEST_F(PemFiles, come_back_and_keys_are_for_their_owner_only) {
  const auto pair = read_pem_pair(path("node-ca.pem"), path("node-ca.key")).value();
  EXPECT_EQ(pair.certificate, node_ca_pair().certificate);
  EXPECT_EQ(pair.key, node_ca_pair().key);
  EXPECT_EQ(mode_of(path("node-ca.key")), 0600U);
  EXPECT_EQ(mode_of(path("node-ca.pem")), 0644U);
}

TEST_F(PemFiles, a_key_is_never_readable_by_others_whatever_stood_there) {
  std::ofstream(path("old.key")) << "old";
  ::chmod(path("old.key").c_str(), 0666);
  ASSERT_TRUE(write_pem_pair(node_ca_pair(), path("old.pem"), path("old.key")));
  EXPECT_EQ(mode_of(path("old.key")), 0600U);
}

TEST_F(PemFiles, nothing_is_left_behind) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    ++files;
    EXPECT_THAT(entry.path().string(), testing::Not(HasSubstr(".tmp")));
  }
  EXPECT_EQ(files, 10U);
}

TEST_F(PemFiles, a_missing_file_or_folder_is_named) {
  const auto missing = read_pem_pair(path("no.pem"), path("no.key"));
  EXPECT_EQ(missing.error().code, Errc::gone);
  EXPECT_THAT(missing.error().message(), HasSubstr("no.pem"));
  EXPECT_FALSE(write_pem_pair(node_ca_pair(), path("no/a.pem"), path("no/a.key")));
}

TEST_F(PemFiles, a_large_file_is_not_read_to_its_end) {
  std::ofstream(path("large.pem")) << std::string(100'000, 'x');
  EXPECT_EQ(certificate_info_of_file(path("large.pem")).error().code, Errc::too_large);
}

TEST_F(PemFiles, contexts_name_the_file_that_is_wrong) {
  const auto with = [&](const std::function<void(TlsFiles&)>& change) {
    auto files = server_files_;
    change(files);
    const auto context = make_agent_port_context(files);
    EXPECT_FALSE(context);
    return context ? Error() : context.error();
  };
  std::ofstream(path("text.pem")) << "hello\n";
  const auto missing = with([&](auto& f) { f.certificate = path("no.pem"); });
  EXPECT_EQ(missing.code, Errc::gone);
  EXPECT_THAT(missing.message(), HasSubstr("no.pem"));
  EXPECT_EQ(with([&](auto& f) { f.ca = path("no.pem"); }).code, Errc::gone);
  EXPECT_EQ(with([&](auto& f) { f.key = path("no.key"); }).code, Errc::gone);
  const auto text = with([&](auto& f) { f.certificate = path("text.pem"); });
  EXPECT_EQ(text.code, Errc::malformed);
  EXPECT_THAT(text.message(), HasSubstr("text.pem"));
  EXPECT_EQ(with([&](auto& f) { f.ca = path("text.pem"); }).code, Errc::malformed);
  EXPECT_THAT(with([&](auto& f) { f.key = node_files_.key; }).message(), HasSubstr("does not belong to certificate"));
}

}  // namespace
}  // namespace fw::transport
