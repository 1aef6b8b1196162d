#include "admin/http_visitors.h"

#include <microhttpd.h>
#include <sys/socket.h>
#include <algorithm>

namespace millrace::admin {

void HttpVisitors::on_change(void* visitors, MHD_Connection* connection, void** /*context*/,
                             int kind) {
  auto& self = *static_cast<HttpVisitors*>(visitors);
  if (kind == MHD_CONNECTION_NOTIFY_STARTED) return self.came(connection);
  self.waiting_.remove(connection);
  self.went_ = true;
}

void HttpVisitors::came(MHD_Connection* connection) {
  waiting_.push_back(connection);
  if (waiting_.size() <= waiting_max_) return;
  const auto* oldest = MHD_get_connection_info(waiting_.front(), MHD_CONNECTION_INFO_CONNECTION_FD);
  // The library reads its end, and closes it.
  ::shutdown(oldest->connect_fd, SHUT_RDWR);
  waiting_.pop_front();
}

void HttpVisitors::asked(MHD_Connection* connection) {
  const auto at = std::find(waiting_.begin(), waiting_.end(), connection);
  if (at != waiting_.end()) waiting_.splice(waiting_.end(), waiting_, at);
}

}  // namespace millrace::admin
