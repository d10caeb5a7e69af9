#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include "check.hpp"
#include "parallel.hpp"

using namespace chromapress;

int main() {
  // Every part once, whoever comes first; each thread's own share before others'.
  for (std::size_t threads = 1; threads < 9; ++threads) {
    for (std::size_t parts = 0; parts < 40; ++parts) {
      for (std::size_t own = 0; own < threads; ++own) {
        Shares shares(parts, threads);
        std::vector<std::size_t> visited;
        shares(own, [&](std::size_t part) {
          visited.push_back(part);
          // Another thread comes in between, and takes what is left.
          if (visited.size() == 2) shares((own + 1) % threads, [&](std::size_t other) { visited.push_back(other); });
        });
        const std::size_t begin = parts * own / threads;
        CHECK(parts * (own + 1) / threads == begin || visited[0] == begin);
        std::sort(visited.begin(), visited.end());
        CHECK(visited.size() == parts);
        for (std::size_t part = 0; part < parts; ++part) CHECK(visited[part] == part);
      }
    }
  }

  for (const std::size_t threads : {1u, 2u, 5u}) {
    Team team(threads);
    CHECK(team.size() == threads);
    for (std::size_t parts = 0; parts < 300; ++parts) {
      std::vector<std::atomic<int>> calls(parts);
      team(parts, [&](std::size_t part) { ++calls[part]; });
      for (const auto& count : calls) CHECK(count == 1);
    }

    // Where a part gives work to its own team, it does that alone.
    std::atomic<int> inner = 0;
    team(7, [&](std::size_t) { team(3, [&](std::size_t) { ++inner; }); });
    CHECK(inner == 21);

    // The lowest part's exception; the team works on.
    for (int round = 0; round < 50; ++round) {
      std::size_t thrown = 0;
      try {
        team(40, [](std::size_t part) {
          if (part % 10 == 3) throw std::out_of_range(std::to_string(part));
        });
      } catch (const std::out_of_range& error) {
        thrown = std::stoul(error.what());
      }
      CHECK(thrown == 3);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // long enough to fall asleep
    std::atomic<int> calls = 0;
    team(9, [&](std::size_t) { ++calls; });
    CHECK(calls == 9);
  }
  CHECK(thread_count(3) == 3);
  CHECK(thread_count(0) >= 1);
  CHECK(thread_count(1000) == kMostThreads);
}
