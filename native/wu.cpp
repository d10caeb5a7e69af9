#include "wu.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>

namespace chromapress {
namespace {

constexpr std::size_t kBins = 32;
// With so many leaves a centre, cutting between leaves is as good as cutting between colours, and much cheaper.
constexpr std::size_t kLeavesPerCentre = 4;
constexpr std::size_t kCutsPerThread = 4;

struct Item {
  Point at;
  Totals totals;
};

struct Part {
  std::span<Item> items;
  Totals totals;
  // The best cut: the squared error that it removes (below 0: there is no cut), and what goes to the left of it.
  double gain = -1;
  std::size_t axis = 0, cut = 0;
  double lo = 0, scale = 0;

  [[nodiscard]] bool is_left(const Item& item) const;
};

std::size_t bin_of(double v, double lo, double scale) {
  return std::min(kBins - 1, static_cast<std::size_t>((v - lo) * scale));
}

bool Part::is_left(const Item& item) const { return bin_of(item.at[axis], lo, scale) < cut; }

Part make_part(std::span<Item> items) {
  Part part;
  part.items = items;
  Point lo = items[0].at, hi = items[0].at;
  for (const Item& item : items) {
    part.totals.add(item.totals);
    for (std::size_t d = 0; d < 4; ++d) {
      lo[d] = std::min(lo[d], item.at[d]);
      hi[d] = std::max(hi[d], item.at[d]);
    }
  }
  for (std::size_t axis = 0; axis < 4; ++axis) {
    if (hi[axis] <= lo[axis]) continue;
    const double scale = kBins / (hi[axis] - lo[axis]);
    std::array<Totals, kBins> bins{};
    for (const Item& item : items) bins[bin_of(item.at[axis], lo[axis], scale)].add(item.totals);
    const Totals& all = part.totals;
    Totals left;
    for (std::size_t cut = 1; cut < kBins; ++cut) {
      left.add(bins[cut - 1]);
      const double right = all.weight - left.weight;
      if (bins[cut - 1].weight == 0 || right <= 0) continue;
      // The squared distance between the means of both sides, times left * right / all.
      double square = 0;
      for (std::size_t d = 0; d < 4; ++d) {
        const double apart = left.sum[d] * all.weight - all.sum[d] * left.weight;
        square += apart * apart;
      }
      const double gain = square / (left.weight * right * all.weight);
      if (gain > part.gain) {
        part.gain = gain;
        part.axis = axis;
        part.cut = cut;
        part.lo = lo[axis];
        part.scale = scale;
      }
    }
  }
  return part;
}

std::vector<Item> items_of(const BoxTree& tree, Kind kind, bool use_leaves) {
  std::vector<Item> items;
  items.reserve(use_leaves ? tree.leaves.size() : tree.size());
  const Box& root = tree.kinds[static_cast<std::size_t>(kind)];
  for (std::size_t g = root.begin; g < root.end; ++g) {
    for (std::size_t l = tree.groups[g].begin; l < tree.groups[g].end; ++l) {
      const Box& leaf = tree.leaves[l];
      if (use_leaves) {
        items.push_back({leaf.totals.mean(), leaf.totals});
        continue;
      }
      for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
        Item item{tree.point(i), {}};
        item.totals.add(tree.weight[i], item.at);
        items.push_back(item);
      }
    }
  }
  return items;
}

using Halves = std::array<Part, 2>;

// Reorders the items of the part.
Halves halves_of(const Part& part) {
  const auto middle =
      std::partition(part.items.begin(), part.items.end(), [&part](const Item& item) { return part.is_left(item); });
  const auto left = static_cast<std::size_t>(middle - part.items.begin());
  return {make_part(part.items.first(left)), make_part(part.items.subspan(left))};
}

}  // namespace

std::vector<Centre> wu_centres(const BoxTree& tree, std::size_t k) {
  const bool use_leaves = tree.leaves.size() >= kLeavesPerCentre * k;
  std::array<std::vector<Item>, kKinds> items;
  std::vector<Part> parts;
  std::vector<Kind> kinds;  // of the parts
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    if (!tree.has(static_cast<Kind>(kind))) continue;
    items[kind] = items_of(tree, static_cast<Kind>(kind), use_leaves);
    parts.push_back(make_part(items[kind]));
    kinds.push_back(static_cast<Kind>(kind));
  }

  // Positions in `parts`, greatest gain first, then the oldest.
  const auto before = [&parts](std::size_t a, std::size_t b) {
    return parts[a].gain > parts[b].gain || (parts[a].gain == parts[b].gain && a < b);
  };
  std::set<std::size_t, decltype(before)> order(before);
  for (std::size_t i = 0; i < parts.size(); ++i) order.insert(i);
  std::map<std::size_t, Halves> halves;  // by position; where there are threads also of parts whose turn is yet to come
  const std::size_t threads = tree.team->size(), together = threads == 1 ? 1 : kCutsPerThread * threads;
  while (parts.size() < k && !order.empty() && parts[*order.begin()].gain >= 0) {
    const std::size_t i = *order.begin();
    if (!halves.contains(i)) {
      std::vector<std::size_t> next;
      for (const std::size_t j : order) {
        if (next.size() == std::min(together, k - parts.size()) || parts[j].gain < 0) break;
        if (!halves.contains(j)) next.push_back(j);
      }
      std::vector<Halves> found(next.size());
      (*tree.team)(next.size(), [&](std::size_t n) { found[n] = halves_of(parts[next[n]]); });
      for (std::size_t n = 0; n < next.size(); ++n) halves.emplace(next[n], found[n]);
    }
    order.erase(order.begin());
    const Halves both = halves.extract(i).mapped();
    parts[i] = both[0];
    parts.push_back(both[1]);
    kinds.push_back(kinds[i]);
    order.insert(i);
    order.insert(parts.size() - 1);
  }
  std::vector<Centre> centres;
  for (std::size_t i = 0; i < parts.size(); ++i) centres.push_back({parts[i].totals.mean(), kinds[i], 0});
  return centres;
}

}  // namespace chromapress
