#include "node-agent/collectors/kernel_log/kernel_log_collector.hpp"

#include <array>
#include <map>
#include <optional>
#include <utility>

#include "common/units.hpp"
#include "node-agent/collectors/kernel_log/rules.hpp"
#include "node-agent/kernel/kernel_log.hpp"
#include "node-agent/kernel/proc_files.hpp"
#include "node-agent/redaction/redaction.hpp"
#include "protocol/limits.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

enum Metric : std::size_t { kLines, kLost, kMetricCount };

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"kernel_log_lines_total", Unit::count, MetricKind::counter, "lines of the kernel's log since the agent started", "KernelLogTruthTest.lines_are_counted"},
    {"kernel_messages_lost_total", Unit::count, MetricKind::counter, "lines that were overwritten before they were read, or matched a rule beyond what a tick may tell",
     "KernelLogTruthTest.messages_beyond_the_limit_are_counted"},
}};

constexpr std::array<ObservedDesc, 1> kObserved{{
    {"kernel_message", "the device that it names", "name of the rule",
     "a line of the kernel's log that a rule knows; `text` is the line, redacted; `count` of them",
     "KernelLogTruthTest.an_error_names_its_device_and_counts_repetitions"},
}};

constexpr CollectorInfo kInfo{"kernel_log", kMetrics, kObserved};
constexpr std::size_t kMaxObjectBytes = 128;

class KernelLogCollector final : public Collector {
 public:
  KernelLogCollector(std::optional<kernel::KernelLog> log, std::vector<LogRule> rules) : log_(std::move(log)), rules_(std::move(rules)) {}

  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    if (!log_) return;
    for (int round = 0; round < 10; ++round) {
      if (log_->read([this](const kernel::LogRecord& record) { take(record); }) == 0) break;
    }
    for (auto& [key, seen] : messages_) {
      auto text = redaction::redact(seen.text);
      if (text.size() > limits::kMaxObservedTextBytes) text.resize(limits::kMaxObservedTextBytes);
      sink.observe(context.node_id, {.what = "kernel_message", .object = redaction::redact(key.second), .reason = key.first, .text = std::move(text), .count = seen.count});
    }
    messages_.clear();
    if (!context.regular) return;
    sink.put(kLines, context.node_id, static_cast<std::int64_t>(lines_total_));
    sink.put(kLost, context.node_id, static_cast<std::int64_t>(refused_total_ + log_->lost_total()));
  }

 private:
  struct Message {
    std::string text;            // the newest
    std::uint64_t count = 0;
  };

  void take(const kernel::LogRecord& record) {
    ++lines_total_;
    if (!matcher_) {             // most nodes' logs are silent for hours: what matching needs is made at the first line
      auto made = LogMatcher::make(std::exchange(rules_, {}));
      if (!made) return;         // cannot be: they were tried before
      matcher_.emplace(std::move(*made));
    }
    const auto match = matcher_->match(record.level, record.text);
    if (!match) return;
    std::pair<std::string, std::string> key{match->rule, match->object.substr(0, kMaxObjectBytes)};
    if (messages_.size() == kMaxMessagesPerTick && !messages_.contains(key)) {
      ++refused_total_;
      return;
    }
    auto& message = messages_[std::move(key)];
    message.text = record.text;
    ++message.count;
  }

  std::optional<kernel::KernelLog> log_;
  std::vector<LogRule> rules_;
  std::optional<LogMatcher> matcher_;
  std::map<std::pair<std::string, std::string>, Message> messages_;   // by rule and object
  std::uint64_t lines_total_ = 0, refused_total_ = 0;
};

}  // namespace

Result<std::unique_ptr<Collector>> make_kernel_log_collector(const KernelLogPaths& paths) {
  std::vector<LogRule> rules;
  if (!paths.rules.empty()) {
    const auto text = kernel::read_small_file(paths.rules, 256_KiB);
    if (!text) return with_context(text.error(), paths.rules);
    auto own = parse_log_rules(*text);
    if (!own) return with_context(own.error(), paths.rules);
    rules = std::move(*own);
  }
  auto builtin = parse_log_rules(builtin_log_rules());
  if (!builtin) return builtin.error();
  rules.insert(rules.end(), std::make_move_iterator(builtin->begin()), std::make_move_iterator(builtin->end()));
  if (!paths.rules.empty()) {
    if (const auto tried = LogMatcher::make(rules); !tried) return with_context(tried.error(), paths.rules);
  }
  std::optional<kernel::KernelLog> log;
  if (auto opened = kernel::KernelLog::open(paths.log)) log.emplace(std::move(*opened));
  return std::unique_ptr<Collector>{std::make_unique<KernelLogCollector>(std::move(log), std::move(rules))};
}

const CollectorInfo& kernel_log_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
