// The connections of the HTTP server that have not asked yet, or not asked again, oldest first.
// When there is little room for more the oldest go, so that a crowd that opens connections and
// never asks does not lock out one that does: a scraper asks as soon as it is connected. Threads:
// the server's.
#pragma once

#include <cstddef>
#include <list>
#include <utility>

struct MHD_Connection;

namespace millrace::admin {

class HttpVisitors {
 public:
  // limit: of the library, which takes nobody above it.
  explicit HttpVisitors(std::size_t limit) : waiting_max_(limit - limit / 4) {}

  // How the library tells of connections: MHD_OPTION_NOTIFY_CONNECTION with this object.
  static void on_change(void* visitors, MHD_Connection* connection, void** context, int kind);
  // It has asked: the last to go.
  void asked(MHD_Connection* connection);
  // Whether one has gone since the last call. At its limit the library takes its listener out of
  // the loop, and puts it back only when it is run again after that.
  [[nodiscard]] bool went() { return std::exchange(went_, false); }

 private:
  void came(MHD_Connection* connection);

  std::size_t waiting_max_;
  std::list<MHD_Connection*> waiting_;
  bool went_ = false;
};

}  // namespace millrace::admin
