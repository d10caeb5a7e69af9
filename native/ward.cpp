#include "ward.hpp"

#include <algorithm>
#include <limits>

namespace chromapress {
namespace {

// The squared error that comes when the colours of one cluster go to another. Its centre moves to the mean of both, but
// for what its kind fixes: an opaque one's alpha, and all of the transparent one.
double cost_of(const Centre& freed, const Totals& clustered, const Centre& into, const Totals& others) {
  const double both = clustered.weight + others.weight;
  if (!(both > 0)) return 0;
  const double moving = clustered.weight * others.weight / both;
  if (freed.kind == into.kind) return moving * squared_distance(freed.at, into.at);
  if (into.kind == Kind::transparent) return clustered.weight * squared_distance(freed.at, into.at);
  const double alpha = freed.at[3] - into.at[3], squared = alpha * alpha;
  return moving * (squared_distance(freed.at, into.at) - squared) + clustered.weight * squared;
}

}  // namespace

WardMerges::WardMerges(std::vector<Centre> centres, std::span<const Totals> clusters, std::size_t fixed)
    : finest_(std::move(centres)) {
  struct Nearest {
    std::size_t into;
    double cost;
  };
  std::vector<Centre> left = finest_;
  std::vector<Totals> totals(clusters.begin(), clusters.end());
  std::vector<std::size_t> alive;
  for (std::size_t j = fixed; j < left.size(); ++j) alive.push_back(j);
  std::vector<Nearest> nearest(left.size());
  const auto find_nearest = [&](std::size_t j) {
    nearest[j] = {j, std::numeric_limits<double>::infinity()};
    for (const std::size_t i : alive) {
      if (i == j || !may_become(left[j].kind, left[i].kind)) continue;
      const double cost = cost_of(left[j], totals[j], left[i], totals[i]);
      if (cost < nearest[j].cost) nearest[j] = {i, cost};
    }
  };
  for (const std::size_t j : alive) find_nearest(j);
  while (!alive.empty()) {
    const std::size_t freed = *std::min_element(
        alive.begin(), alive.end(), [&](std::size_t a, std::size_t b) { return nearest[a].cost < nearest[b].cost; });
    const std::size_t into = nearest[freed].into;
    if (into == freed) break;  // of each kind that is left there is but one
    totals[into].add(totals[freed]);
    if (totals[into].weight > 0) left[into].at = best_place(left[into].kind, totals[into]);
    mergers_.push_back({freed, into, left[into].at});
    alive.erase(std::find(alive.begin(), alive.end(), freed));
    // No other pair gets cheaper by a merger, so that only those who wanted either look for another.
    for (const std::size_t j : alive) {
      if (j == into || nearest[j].into == freed || nearest[j].into == into) find_nearest(j);
    }
  }
}

std::vector<Centre> WardMerges::centres(std::size_t k) const {
  const std::size_t done = std::min(mergers_.size(), finest_.size() - std::min(k, finest_.size()));
  std::vector<Centre> centres = finest_;
  std::vector<bool> is_freed(finest_.size(), false);
  for (std::size_t m = 0; m < done; ++m) {
    centres[mergers_[m].into].at = mergers_[m].at;
    is_freed[mergers_[m].freed] = true;
  }
  std::vector<Centre> left;
  for (std::size_t j = 0; j < centres.size(); ++j) {
    if (!is_freed[j]) left.push_back(centres[j]);
  }
  return left;
}

}  // namespace chromapress
