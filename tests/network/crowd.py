"""A few hundred clients that lose their broker at the same moment: all come back, and not in one instant."""
from testbed import BIN, Child, Stuck

CLIENTS = 200
AWAY_S, REFUSED_S = 1.5, 5.0
WINDOW_US, SHARE_MAX = 500_000, 0.5  # half of them within half a second would be one instant
BAR_US_MIN, BARS, WIDTH = 10_000, 10, 40


class Crowd:
    def __init__(self, bed):
        self.bed, self.up, self.came_us = bed, 0, []
        within, environment = bed.here("crowd")
        bed.children["crowd"] = Child(bed, "crowd", [*within, f"{BIN}/tests/network_crowd",
                                                     str(CLIENTS)], self.take, env=environment,
                                      stderr=bed.log)
        self.until_all("up")

    def take(self, line):
        what, time_us = line.split()
        self.up += 1 if what == "up" else -1
        if what == "up":
            self.came_us.append(int(time_us))

    def until_all(self, what):
        wanted = CLIENTS if what == "up" else 0
        self.bed.pump(lambda: self.up == wanted, f"all {CLIENTS} clients are {what}, not {self.up}",
                      lambda: not self.bed.children["crowd"].alive(), seconds=60)

    def comes_back(self, words):
        """When they came, as a picture; the largest share of them within a window."""
        self.until_all("up")
        came = sorted(self.came_us)
        after = [at - came[0] for at in came]
        bar_us = max(BAR_US_MIN, after[-1] // BARS + 1)
        print(f"  {words}: {CLIENTS} clients came within {after[-1] / 1000:.0f} ms of the first")
        for bar in range(after[-1] // bar_us + 1):
            number = sum(at // bar_us == bar for at in after)
            print(f"  from {bar * bar_us / 1000:6.0f} ms {number:4} "
                  f"{'#' * (number * WIDTH // CLIENTS)}")
        return max(sum(0 <= at - start < WINDOW_US for at in after) for start in after) / CLIENTS


def comes_back(bed):
    bed.start_broker()
    crowd = Crowd(bed)
    bed.kill_broker()
    crowd.until_all("down")
    crowd.came_us.clear()
    bed.pump_for(AWAY_S)
    bed.start_broker()
    crowd.comes_back("the broker was killed and restarted")
    # Refused clients wait longer after each attempt: here the random part of each pause adds up.
    known_again = bed.keys.refuse("crowd")
    try:
        crowd.until_all("down")
        crowd.came_us.clear()
        bed.pump_for(REFUSED_S)
    finally:
        known_again()
    share = crowd.comes_back("their key was unknown for a while")
    if share > SHARE_MAX:
        raise Stuck(f"{share:.0%} of the clients came back within half a second")
    return f"at most {share:.0%} of the clients within half a second"
