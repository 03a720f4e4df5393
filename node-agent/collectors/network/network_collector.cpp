#include "node-agent/collectors/network/network_collector.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>

#include "common/units.hpp"
#include "node-agent/collectors/failures.hpp"
#include "node-agent/collectors/histogram.hpp"
#include "node-agent/collectors/network/network_files.hpp"
#include "node-agent/collectors/network/network_namespaces.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

// Rows of the metric table.
enum Metric : std::size_t {
  kConnects, kConnectsFailed, kConnectUs, kConnectHistogram, kAccepts = kConnectHistogram + kHistogramCounters, kRetransmits,
  kSynRetransmits, kResetsSent, kResetsReceived,
  kListenOverflows, kListenDrops, kSegments, kNamespaceRetransmits, kNamespaceResets, kNoRoute, kUdpOverflows, kTcpSockets, kTimeWait,
  kSocketsUsed, kEphemeralPorts, kConntrackEntries, kConntrackMax, kConntrackDrops, kConntrackEarlyDrops,
  kReceivedBytes, kReceivedErrors, kReceivedDrops, kSentBytes, kSentErrors, kSentDrops,
  kMetricCount
};

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"network_connects_total", Unit::count, MetricKind::counter, "TCP connects that were established (BPF)", "NetworkTruthTest.connects_are_counted_and_timed"},
    {"network_connects_failed_total", Unit::count, MetricKind::counter, "TCP connects that failed after their first packet or for want of a port (BPF)", "NetworkTruthTest.a_refused_connect_names_its_peer"},
    {"network_connect_us", Unit::microseconds, MetricKind::counter, "time from first packet to established, of all connects (BPF)", "NetworkTruthTest.connects_are_counted_and_timed"},
    FW_HISTOGRAM_ROWS("network_connect", "TCP connects established", "NetworkTruthTest.connects_are_counted_and_timed"),
    {"network_accepts_total", Unit::count, MetricKind::counter, "TCP connections that came in and were established (BPF)", "NetworkTruthTest.accepts_belong_to_the_listener"},
    {"network_retransmits_total", Unit::count, MetricKind::counter, "TCP segments sent again, first packets included (BPF)", "NetworkTruthTest.retransmits_equal_the_kernels_own_count"},
    {"network_syn_retransmits_total", Unit::count, MetricKind::counter, "first packets of connects sent again: nobody answers (BPF)", "NetworkTruthTest.a_silent_peer_is_a_timeout"},
    {"network_resets_sent_total", Unit::count, MetricKind::counter, "TCP resets sent by sockets (BPF)", "NetworkTruthTest.resets_have_a_sender_and_a_receiver"},
    {"network_resets_received_total", Unit::count, MetricKind::counter, "TCP resets received (BPF)", "NetworkTruthTest.resets_have_a_sender_and_a_receiver"},
    {"netns_listen_overflows_total", Unit::count, MetricKind::counter, "connections not taken because a queue of accepted ones was full; of the network namespace, which the containers of a pod share", "NetworkTruthTest.a_full_listen_queue_is_told_for_its_container"},
    {"netns_listen_drops_total", Unit::count, MetricKind::counter, "connections that a listener dropped for any reason; of the network namespace", "NetworkTruthTest.a_full_listen_queue_is_told_for_its_container"},
    {"netns_segments_sent_total", Unit::count, MetricKind::counter, "TCP segments sent; of the network namespace", "NetworkTruthTest.counters_of_the_namespace_equal_those_of_the_sockets"},
    {"netns_retransmits_total", Unit::count, MetricKind::counter, "TCP segments sent again; of the network namespace", "NetworkTruthTest.retransmits_equal_the_kernels_own_count"},
    {"netns_resets_sent_total", Unit::count, MetricKind::counter, "TCP resets sent, also for ports without a socket; of the network namespace", "NetworkTruthTest.a_refused_connect_names_its_peer"},
    {"netns_no_route_total", Unit::count, MetricKind::counter, "IPv4 packets and connects without a route; of the network namespace", "NetworkTruthTest.a_connect_without_a_route_is_counted"},
    {"netns_udp_receive_overflows_total", Unit::count, MetricKind::counter, "UDP packets dropped because a socket's buffer was full; of the network namespace", "NetworkTruthTest.a_full_udp_buffer_is_counted"},
    {"netns_tcp_sockets", Unit::count, MetricKind::gauge, "TCP sockets in use; of the network namespace", "NetworkTruthTest.sockets_are_counted"},
    {"netns_tcp_time_wait", Unit::count, MetricKind::gauge, "TCP connections in TIME_WAIT, which keep their port; of the network namespace", "NetworkTruthTest.sockets_are_counted"},
    {"node_sockets_used", Unit::count, MetricKind::gauge, "sockets of any kind in the node's network namespace", "NetworkTruthTest.sockets_are_counted"},
    {"node_ephemeral_ports", Unit::count, MetricKind::gauge, "local ports that connects may take (ip_local_port_range)", "NetworkTruthTest.want_of_a_local_port_is_named"},
    {"node_conntrack_entries", Unit::count, MetricKind::gauge, "connections that the node's connection tracking holds", "NetworkTruthTest.conntrack_entries_are_counted"},
    {"node_conntrack_max", Unit::count, MetricKind::gauge, "connections that it may hold", "NetworkTruthTest.a_full_conntrack_table_is_counted"},
    {"node_conntrack_drops_total", Unit::count, MetricKind::counter, "packets dropped because it could not hold their connection", "NetworkTruthTest.a_full_conntrack_table_is_counted"},
    {"node_conntrack_early_drops_total", Unit::count, MetricKind::counter, "entries thrown out to make room for others", "NetworkTruthTest.a_full_conntrack_table_is_counted"},
    {"interface_received_bytes", Unit::bytes, MetricKind::counter, "bytes received", "NetworkTruthTest.interfaces_count_bytes_and_drops"},
    {"interface_received_errors_total", Unit::count, MetricKind::counter, "packets received with errors", "NetworkTruthTest.interfaces_count_errors"},
    {"interface_received_drops_total", Unit::count, MetricKind::counter, "packets received and dropped", "NetworkTruthTest.interfaces_count_bytes_and_drops"},
    {"interface_sent_bytes", Unit::bytes, MetricKind::counter, "bytes sent", "NetworkTruthTest.interfaces_count_bytes_and_drops"},
    {"interface_sent_errors_total", Unit::count, MetricKind::counter, "packets not sent because of errors", "NetworkTruthTest.interfaces_count_errors"},
    {"interface_sent_drops_total", Unit::count, MetricKind::counter, "packets dropped before they were sent", "NetworkTruthTest.interfaces_count_drops_of_what_they_send"},
}};

constexpr std::array<ObservedDesc, 1> kObserved{{
    {"connect_failed", "the peer, address:port", "errno name, or GAVE_UP: the program closed it first", "TCP connects of the cgroup to this peer failed; `count` of them", "NetworkTruthTest.a_refused_connect_names_its_peer"},
}};

constexpr CollectorInfo kInfo{"network", kMetrics, kObserved};

constexpr std::size_t kMaxInterfaces = 64;
constexpr std::uint64_t kNamespacePeriodNs = 9'500'000'000;   // a namespace's counters cost much more than a cgroup's

std::optional<std::uint64_t> read_number(const std::string& path) {
  const auto text = kernel::read_small_file(path, 64);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const auto result = std::from_chars(text->data(), text->data() + text->size(), value);
  return result.ec == std::errc{} ? std::optional{value} : std::nullopt;
}

void put_if(SampleSink& sink, std::size_t metric, std::uint32_t entity_id, const OptCount& value) {
  if (value) sink.put(metric, entity_id, static_cast<std::int64_t>(*value));
}

void put_namespace(SampleSink& sink, std::uint32_t entity_id, const NamespaceCounters& counters) {
  put_if(sink, kListenOverflows, entity_id, counters.listen_overflows);
  put_if(sink, kListenDrops, entity_id, counters.listen_drops);
  put_if(sink, kSegments, entity_id, counters.segments_sent);
  put_if(sink, kNamespaceRetransmits, entity_id, counters.retransmits);
  put_if(sink, kNamespaceResets, entity_id, counters.resets_sent);
  put_if(sink, kNoRoute, entity_id, counters.no_route);
  put_if(sink, kUdpOverflows, entity_id, counters.udp_receive_overflows);
  put_if(sink, kTcpSockets, entity_id, counters.tcp_sockets);
  put_if(sink, kTimeWait, entity_id, counters.tcp_time_wait);
}

class NetworkCollector final : public Collector {
 public:
  explicit NetworkCollector(NetworkPaths paths) : paths_(std::move(paths)), namespaces_(paths_.proc) {}

  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t entity_id) override { namespaces_.forget(entity_id); }

  void collect(SampleContext& context, SampleSink& sink) override {
    if (context.bpf != nullptr) collect_cgroups(context, sink);
    if (!context.regular) return;
    collect_node(context, sink);
    collect_interfaces(context, sink);
    if (namespaces_at_ns_ != 0 && context.mono_ns - namespaces_at_ns_ < kNamespacePeriodNs) return;
    namespaces_at_ns_ = context.mono_ns;
    namespaces_.read(context, [&](std::uint32_t entity_id, const NamespaceCounters& counters) { put_namespace(sink, entity_id, counters); });
  }

 private:
  void collect_cgroups(SampleContext& context, SampleSink& sink) {
    if (const auto map = context.bpf->map("network_counters")) {
      for (const auto& entity : context.due) {
        fw_network_counters counters{};
        if (entity.gone || !map->lookup<std::uint64_t>(entity.cgroup_id, counters)) continue;
        const auto put = [&](std::size_t metric, std::uint64_t value) { sink.put(metric, entity.id, static_cast<std::int64_t>(value)); };
        put(kConnects, counters.connects);
        put(kConnectsFailed, counters.connects_failed);
        put(kConnectUs, counters.connect_ns / 1000);
        put_histogram(sink, kConnectHistogram, entity.id, counters.latency_log2_us);
        put(kAccepts, counters.accepts);
        put(kRetransmits, counters.retransmits);
        put(kSynRetransmits, counters.syn_retransmits);
        put(kResetsSent, counters.resets_sent);
        put(kResetsReceived, counters.resets_received);
      }
      if (context.regular) sweep_.run(*map, sink, context.mono_ns);
    }
    if (const auto map = context.bpf->map("connect_failures")) {
      failures_.take(*map, [&](const fw_connect_failure& key, std::uint64_t count) {
        const auto entity = sink.entity_of(key.cgroup_id);
        if (entity) tally_.add(*entity, peer_text(key), connect_error_text(key.error), count);
        return entity.has_value();
      });
      tally_.tell(sink, "connect_failed");
    }
  }

  void collect_node(SampleContext& context, SampleSink& sink) {
    if (const auto counters = read_namespace(paths_.proc + "/self")) {
      put_namespace(sink, context.node_id, *counters);
      put_if(sink, kSocketsUsed, context.node_id, counters->sockets_used);
    }
    if (const auto text = kernel::read_small_file(paths_.proc + "/sys/net/ipv4/ip_local_port_range", 64)) {
      if (const auto ports = parse_port_range(*text)) {
        sink.put(kEphemeralPorts, context.node_id, static_cast<std::int64_t>(*ports));
      } else {
        ++context.unreadable;
      }
    }
    put_if(sink, kConntrackEntries, context.node_id, read_number(paths_.proc + "/sys/net/netfilter/nf_conntrack_count"));
    put_if(sink, kConntrackMax, context.node_id, read_number(paths_.proc + "/sys/net/netfilter/nf_conntrack_max"));
    if (const auto text = kernel::read_small_file(paths_.proc + "/self/net/stat/nf_conntrack", 256_KiB)) {
      const auto conntrack = parse_conntrack_counters(*text);
      put_if(sink, kConntrackDrops, context.node_id, conntrack.drops);
      put_if(sink, kConntrackEarlyDrops, context.node_id, conntrack.early_drops);
    }
  }

  struct Interface {
    std::uint64_t number = 0;      // 0: not one of the node's own
    std::uint32_t entity_id = 0;
    bool seen = true;
  };

  void collect_interfaces(SampleContext& context, SampleSink& sink) {
    const auto text = kernel::read_small_file(paths_.proc + "/self/net/dev", 1_MiB);
    if (!text) return;
    const auto read = parse_interfaces(*text, 4096);
    if (!read) {
      ++context.unreadable;
      return;
    }
    for (auto& [name, known] : interfaces_) known.seen = false;
    for (const auto& counters : *read) {
      auto [at, is_new] = interfaces_.try_emplace(std::string{counters.name});
      auto& known = at->second;
      known.seen = true;
      if (is_new) known.number = own_number(at->first);
      if (known.number == 0) continue;
      known.entity_id = sink.part(wire::EntityKind::interface, known.number, counters.name);
      if (known.entity_id == 0) continue;
      const auto put = [&](std::size_t metric, std::uint64_t value) { sink.put(metric, known.entity_id, static_cast<std::int64_t>(value)); };
      put(kReceivedBytes, counters.received_bytes);
      put(kReceivedErrors, counters.received_errors);
      put(kReceivedDrops, counters.received_drops);
      put(kSentBytes, counters.sent_bytes);
      put(kSentErrors, counters.sent_errors);
      put(kSentDrops, counters.sent_drops);
    }
    std::erase_if(interfaces_, [&](const auto& entry) {
      if (entry.second.seen) return false;
      if (entry.second.entity_id != 0) sink.part_gone(entry.second.entity_id);
      return true;
    });
  }

  // 0 for the loopback, for ends of pairs whose other end is in a container (there are as many as pods, and the container's
  // own counters tell more), and for what is beyond the limit.
  std::uint64_t own_number(const std::string& name) const {
    const auto own = static_cast<std::size_t>(std::count_if(interfaces_.begin(), interfaces_.end(), [](const auto& entry) { return entry.second.number != 0; }));
    if (name == "lo" || own >= kMaxInterfaces) return 0;
    const auto folder = paths_.sys + "/class/net/" + name;
    auto number = read_number(folder + "/ifindex");
    if (!number) number = ::if_nametoindex(name.c_str());   // /sys is of another network namespace
    if (const auto link = read_number(folder + "/iflink"); link && *link != *number && !stands_on_another(folder)) return 0;
    return *number;
  }

  // A VLAN and its like have a link to what they stand on; an end of a pair has none.
  static bool stands_on_another(const std::string& folder) {
    std::error_code error;
    for (std::filesystem::directory_iterator at{folder, error}, end; !error && at != end; at.increment(error)) {
      if (at->path().filename().string().starts_with("lower_")) return true;
    }
    return false;
  }

  NetworkPaths paths_;
  CounterSweep<fw_network_counters> sweep_;
  CountedKeys<fw_connect_failure> failures_;
  Tally tally_;
  NetworkNamespaces namespaces_;
  std::uint64_t namespaces_at_ns_ = 0;
  std::map<std::string, Interface> interfaces_;
};

}  // namespace

std::string peer_text(const fw_connect_failure& failure) {
  char text[INET6_ADDRSTRLEN] = "";
  in6_addr address{};
  std::memcpy(&address, failure.address, sizeof(address));
  const auto port = ":" + std::to_string(failure.port);
  if (failure.family == AF_INET6) {
    if (IN6_IS_ADDR_V4MAPPED(&address)) return ::inet_ntop(AF_INET, failure.address + 12, text, sizeof(text)) + port;
    return "[" + std::string{::inet_ntop(AF_INET6, &address, text, sizeof(text))} + "]" + port;
  }
  return failure.family == AF_INET ? ::inet_ntop(AF_INET, &address, text, sizeof(text)) + port : std::string{};
}

std::string connect_error_text(unsigned error) {
  if (error == 0) return "GAVE_UP";
  const char* const name = ::strerrorname_np(static_cast<int>(error));
  return name != nullptr ? name : "error " + std::to_string(error);
}

std::unique_ptr<Collector> make_network_collector(NetworkPaths paths) { return std::make_unique<NetworkCollector>(std::move(paths)); }
const CollectorInfo& network_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
