// A loop device over a file of the test's own, and a filesystem on it.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace fw::test {

// Standard output of a command; "" also when it failed.
inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* const pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[4096];
  while (const auto got = ::fread(buffer, 1, sizeof(buffer), pipe)) text.append(buffer, got);
  ::pclose(pipe);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}
inline bool done(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

class LoopDisk {
 public:
  // folder: where the backing file is made; "": a folder of the test's own. nullptr: no loop device to be had here.
  static std::unique_ptr<LoopDisk> make(const std::string& size, const std::string& folder = "") {
    auto disk = std::unique_ptr<LoopDisk>(new LoopDisk);
    disk->file_ = (folder.empty() ? disk->home_ : folder) + "/disk";
    if (!done("truncate -s " + size + " " + disk->file_)) return nullptr;
    disk->device_ = output_of("losetup --find --show " + disk->file_);
    return disk->device_.empty() ? nullptr : std::move(disk);
  }
  ~LoopDisk() {
    if (mounted_) done("umount " + quoted_point());
    if (!device_.empty()) done("losetup --detach " + device_);
    std::error_code error;
    std::filesystem::remove_all(home_, error);
    std::filesystem::remove(file_, error);
  }
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  bool mount_ext4(const std::string& options = "") {
    std::filesystem::create_directory(point());
    mounted_ = done("mkfs.ext4 -q -F " + options + " " + device_) && done("mount " + device_ + " " + quoted_point());
    return mounted_;
  }
  void unmount() { mounted_ = !done("umount " + quoted_point()); }

  std::string point() const { return home_ + "/a b"; }          // the name has a space: the mount table escapes it
  std::string quoted_point() const { return "'" + point() + "'"; }
  const std::string& device() const noexcept { return device_; }   // "/dev/loop0"
  std::string name() const { return device_.substr(5); }

 private:
  LoopDisk() {
    std::string name = (std::filesystem::temp_directory_path() / "fw-disk-XXXXXX").string();
    home_ = ::mkdtemp(name.data());
  }
  std::string home_, file_, device_;
  bool mounted_ = false;
};

}  // namespace fw::test
