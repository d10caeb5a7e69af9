#include <algorithm>
#include <optional>
#include <random>

#include "check.hpp"
#include "rdo_plain.hpp"
#include "rdo_trellis.hpp"
#include "row_filter.hpp"

using namespace chromapress;

namespace {

constexpr std::int64_t kNever = 1 << 24;

// A row to be decided, below rows that are.
struct Problem {
  std::size_t width, height;
  std::uint8_t filter;
  std::vector<std::uint8_t> indices;  // whose last row is any
  std::vector<Choices> choices;
  std::vector<std::vector<Match>> found;
  Costs costs;
  bool any_distance = false;  // beside those that are found

  [[nodiscard]] std::size_t start() const { return (height - 1) * (width + 1) + 1; }
  [[nodiscard]] std::vector<std::uint8_t> rows() const {
    return filter_rows(indices, width, static_cast<Filtering>(filter));
  }
};

Problem random_problem(std::mt19937& random) {
  Problem p{.width = 1 + random() % 6,
            .height = 1 + random() % 4,
            .filter = static_cast<std::uint8_t>(random() % 5),
            .indices = {},
            .choices = {},
            .found = {},
            .costs = {}};
  const unsigned colors = 2 + random() % 5;
  for (std::size_t i = 0; i < p.width * p.height; ++i) {
    p.indices.push_back(static_cast<std::uint8_t>(random() % colors * (random() % 2 == 0 ? 1 : 50)));
  }
  for (std::size_t x = 0; x < p.width; ++x) {
    Choices c{};
    c.n = 1 + random() % 3;
    // Mostly what the rows hold, so that matches are found.
    const auto first = static_cast<std::uint8_t>(random() % colors);
    for (std::size_t i = 0; i < kChoices; ++i) {
      c.index[i] = static_cast<std::uint8_t>(i < c.n ? (first + i) % 256 : first);
      c.excess[i] = static_cast<std::uint16_t>(i == 0 ? 0 : i < c.n ? random() % 300 : 0xffff);
    }
    p.choices.push_back(c);
    std::vector<Match>& found = p.found.emplace_back();
    for (std::size_t i = random() % 4; i-- > 0;) {
      found.push_back({3, static_cast<std::uint16_t>(1 + random() % (p.start() + x + 1))});
    }
  }
  for (std::uint32_t& c : p.costs.literal) c = random() % 640;
  for (std::uint32_t& c : p.costs.length) c = random() % 640;
  for (std::uint32_t& c : p.costs.distance) c = random() % 640;
  return p;
}

// The cheapest way to write a row of a map, by the steps that the trellis knows; nothing if the row is no choice.
std::optional<std::int64_t> cost_of(const Problem& p) {
  const std::size_t w = p.width;
  std::int64_t excess = 0;
  for (std::size_t x = 0; x < w; ++x) {
    const std::size_t place = p.choices[x].place(p.indices[(p.height - 1) * w + x]);
    if (place == kChoices) return {};
    excess += p.choices[x].excess[place];
  }
  const std::vector<std::uint8_t> rows = p.rows();
  std::vector<std::int64_t> least(w + 1, kNever);
  least[0] = 0;
  for (std::size_t x = 0; x < w; ++x) {
    const std::size_t at = p.start() + x;
    least[x + 1] = std::min(least[x + 1], least[x] + p.costs.literal[rows[at]]);
    std::vector<std::size_t> distances = {1, w, w + 1, w + 2};
    for (std::size_t i = p.found[x].size(); i-- > 0 && i + 2 >= p.found[x].size();) {
      distances.push_back(p.found[x][i].distance);
    }
    for (std::size_t d = x + 1; p.any_distance && d <= at; ++d) distances.push_back(d);
    for (const std::size_t d : distances) {
      const bool run = d == 1;
      if (d > at || (!run && d <= x)) continue;
      for (std::size_t n = 1; x + n <= w && (run || x + n <= d) && rows[at + n - 1] == rows[at + n - 1 - d]; ++n) {
        if (n < kMinMatch) continue;
        least[x + n] =
            std::min(least[x + n], least[x] + p.costs.length[n] + p.costs.distance[code_of_distance(d).code]);
      }
    }
  }
  return least[w] + excess;
}

// Over all maps of the row.
std::int64_t exhaustive(Problem p) {
  std::vector<std::size_t> place(p.width, 0);
  std::int64_t least = kNever;
  for (;;) {
    for (std::size_t x = 0; x < p.width; ++x) p.indices[(p.height - 1) * p.width + x] = p.choices[x].index[place[x]];
    least = std::min(least, cost_of(p).value());
    std::size_t x = 0;
    while (x < p.width && ++place[x] == p.choices[x].n) place[x++] = 0;
    if (x == p.width) return least;
  }
}

// The trellis' cost of the row, which it replaces.
std::int64_t solve(Problem& p, std::size_t looks = 0) {
  std::vector<std::uint8_t> rows = p.rows();
  // As if there were more rows: near repeats are found by several bytes.
  rows.resize(rows.size() + NearRepeats::kLongest);
  Matches matches;
  matches.reset(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool here = i >= p.start() && i < p.start() + p.width;
    const std::vector<Match>& found = here ? p.found[i - p.start()] : std::vector<Match>{};
    matches.append(found.data(), found.size());
  }
  const auto decided = [&](auto searched) {
    searched.set_costs(p.costs);
    return searched.decide(p.height - 1, 0, p.choices, matches, 0, p.indices);
  };
  const std::int64_t cost = p.filter == 0 ? decided(PlainRows(p.width, rows, looks)) : decided(Trellis(p.width, rows));
  rows.resize(rows.size() - NearRepeats::kLongest);
  CHECK(rows == p.rows());
  return cost;
}

}  // namespace

int main() {
  std::mt19937 random(3);
  int matched = 0, exact = 0, missed = 0, nearer = 0, dearer = 0;
  for (int round = 0; round < 20000; ++round) {
    Problem any = random_problem(random);

    // Literals alone: the cheapest of all maps, whatever the filter.
    Problem literals = any;
    literals.costs.distance.fill(kNever);
    const std::int64_t least_literal = exhaustive(literals);
    CHECK(solve(literals) == least_literal);
    CHECK(cost_of(literals) == least_literal);

    // Without runs, a match's pixels do not depend on what is before it, unless the filter looks to the left.
    Problem unrun = any;
    unrun.costs.distance[0] = kNever;
    const std::int64_t least = exhaustive(unrun);
    if (unrun.filter == 2) CHECK(solve(unrun) == least);
    // Without a filter, matches are left out that mostly are of no use.
    if (unrun.filter == 0) {
      const std::int64_t plain = solve(unrun);
      CHECK(least <= plain && plain <= least_literal);
      missed += plain > least;
    }
    matched += least < least_literal;

    // Else it is no worse than literals, no better than possible, and what it says it is.
    const std::int64_t bound = exhaustive(any), cost = solve(any);
    CHECK(bound <= cost && cost <= least_literal);
    CHECK(cost_of(any).value() <= cost);
    exact += cost == bound;

    // Near repeats make it cheaper, but for what is left out because of them, and are matches of some distance.
    Problem near = any;
    near.filter = 0;
    Problem without = near, all = near;
    const std::int64_t cost_near = solve(near, 4), cost_without = solve(without);
    dearer += cost_near > cost_without;
    all.any_distance = true;
    all.indices = near.indices;
    CHECK(cost_of(all).value() <= cost_near);
    nearer += cost_near < cost_without;
  }
  CHECK(matched > 500 && exact > 19000 && missed < 20 && nearer > 20 && dearer < 5);
}
