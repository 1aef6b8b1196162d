#include "gateway_metrics.h"

#include <initializer_list>
#include <utility>

namespace millrace::gateway {
namespace {

using Sample = std::pair<std::string, std::uint64_t>;  // labels in braces or nothing, and the value

void add(std::string* page, const std::string& name, const char* type, const char* help,
         std::initializer_list<Sample> samples) {
  const std::string full = "millrace_gateway_" + name;
  page->append("# HELP ").append(full).append(" ").append(help);
  page->append("\n# TYPE ").append(full).append(" ").append(type).append("\n");
  for (const auto& [labels, value] : samples) {
    page->append(full).append(labels).append(" ").append(std::to_string(value)).append("\n");
  }
}

}  // namespace

std::string metrics_page(const GatewayMetrics& metrics, const http::ServerCounters& http,
                         bool broker_connected) {
  std::string page;
  add(&page, "requests_total", "counter", "Answered requests, by status.", {});
  for (std::size_t status = 0; status < http.responses.size(); ++status) {
    const auto count = http.responses[status].load();
    if (count == 0) continue;
    page += "millrace_gateway_requests_total{status=\"" + std::to_string(status) + "\"} " +
            std::to_string(count) + "\n";
  }
  add(&page, "jobs_total", "counter", "Jobs that were sent to the broker, by outcome.",
      {{"{outcome=\"stored\"}", metrics.stored},
       {"{outcome=\"rejected\"}", metrics.rejected},
       {"{outcome=\"unknown\"}", metrics.unknown}});
  add(&page, "connections", "gauge", "Open connections.", {{"", http.connections}});
  add(&page, "connections_limit", "gauge", "Maximum number of open connections.",
      {{"", http.connections_max}});
  add(&page, "connections_accepted_total", "counter", "Accepted connections.",
      {{"", http.accepted}});
  add(&page, "connections_refused_total", "counter",
      "Connections that were refused because all connections were in use.", {{"", http.refused}});
  add(&page, "connections_displaced_total", "counter",
      "Connections without a request that were closed to accept a new connection.",
      {{"", http.displaced}});
  add(&page, "connections_expired_total", "counter",
      "Connections that were closed because their client exceeded a time limit.",
      {{"", http.expired}});
  add(&page, "tls_handshakes_failed_total", "counter",
      "Connections that were closed because their TLS handshake failed.",
      {{"", http.handshakes_failed}});
  add(&page, "body_bytes", "gauge", "Total size of the bodies of unanswered requests.",
      {{"", http.body_bytes}});
  add(&page, "broker_connected", "gauge", "1 while a broker is connected, else 0.",
      {{"", broker_connected ? 1U : 0U}});
  add(&page, "draining", "gauge", "1 while the gateway drains before it stops, else 0.",
      {{"", metrics.draining ? 1U : 0U}});
  return page;
}

}  // namespace millrace::gateway
