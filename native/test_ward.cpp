#include <limits>

#include "check.hpp"
#include "sample.hpp"
#include "ward.hpp"

using namespace chromapress;

namespace {

struct Fine {
  std::vector<Centre> centres;
  std::vector<Totals> totals;
};

// A few colours as clusters of their own.
Fine fine(std::size_t channels, std::size_t size, unsigned seed) {
  const auto data = sample::image(40, 30, channels, seed);
  const Histogram h = histogram(sample::pixels(data, 40, channels));
  std::mt19937 random(seed);
  Fine result;
  for (std::size_t i = 0; i < std::min(size, h.colors.size()); ++i) {
    const std::size_t place = h.colors.size() * i / size;
    const Point at = premultiply(h.colors[place]);
    result.centres.push_back({at, kind_of(at), 0});
    result.totals.emplace_back().add(1 + random() % 50, at);
  }
  return result;
}

// Every pair is looked at before every merger.
std::vector<Point> by_definition(Fine all, std::size_t k) {
  while (all.centres.size() > k) {
    std::size_t freed = 0, into = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < all.centres.size(); ++j) {
      for (std::size_t i = 0; i < all.centres.size(); ++i) {
        const double a = all.totals[j].weight, b = all.totals[i].weight;
        const double cost = a * b / (a + b) * squared_distance(all.centres[j].at, all.centres[i].at);
        if (i == j || cost >= least) continue;
        least = cost;
        freed = j;
        into = i;
      }
    }
    all.totals[into].add(all.totals[freed]);
    all.centres[into].at = best_place(all.centres[into].kind, all.totals[into]);
    all.totals.erase(all.totals.begin() + static_cast<std::ptrdiff_t>(freed));
    all.centres.erase(all.centres.begin() + static_cast<std::ptrdiff_t>(freed));
  }
  std::vector<Point> places;
  for (const Centre& c : all.centres) places.push_back(c.at);
  return places;
}

}  // namespace

int main() {
  for (unsigned seed = 0; seed < 5; ++seed) {
    const Fine opaque = fine(3, 60, seed);
    const WardMerges merges(opaque.centres, opaque.totals, 0);
    for (const std::size_t k : {1u, 2u, 7u, 30u, 59u, 60u}) {
      std::vector<Point> places;
      for (const Centre& c : merges.centres(k)) places.push_back(c.at);
      CHECK(places == by_definition(opaque, k));
    }
    CHECK(merges.centres(99).size() == 60);

    // Kinds stay apart, and the first centres where they are.
    const Fine mixed = fine(4, 60, seed);
    const WardMerges of_kinds(mixed.centres, mixed.totals, 5);
    for (const std::size_t k : {1u, 8u, 9u, 30u}) {
      const std::vector<Centre> centres = of_kinds.centres(k);
      CHECK(centres.size() >= k && centres.size() <= std::max<std::size_t>(k, 5 + kKinds));
      for (std::size_t j = 0; j < centres.size(); ++j) {
        CHECK(kind_of(centres[j].at) == centres[j].kind);
        if (j < 5) CHECK(centres[j].at == mixed.centres[j].at);
      }
    }
  }

  // Clusters of no colours, such as a protected colour that is the nearest of none, are merged first.
  const std::vector<Centre> centres = {
      {{9, 9, 9, 255}, Kind::opaque, 0}, {{5, 5, 5, 255}, Kind::opaque, 0}, {{6, 6, 6, 255}, Kind::opaque, 0}};
  std::vector<Totals> totals(3);
  totals[2].add(4, {6, 6, 6, 255});
  const WardMerges empty(centres, totals, 0);
  CHECK(empty.centres(1).size() == 1);
  CHECK(empty.centres(1)[0].at == centres[2].at);
}
