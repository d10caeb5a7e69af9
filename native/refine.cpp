#include "refine.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "dispatch.hpp"

namespace chromapress {
namespace {

// Where a cluster could be cut in two: along its principal axis.
struct Split {
  std::size_t cluster = 0;
  double gain = 0;  // an estimate of the squared error that goes away
  Point step{};     // from the mean to the mean of either half
};

struct Merge {
  std::size_t into = 0, freed = 0;
  double cost = 0;  // the squared error that comes, if all colours of the one go to the other
};

// Weight, sum and weighted products of the coordinates of a cluster.
struct Moments {
  Totals totals;
  std::array<Point, 4> product{};

  void add(const Totals& point) {
    totals.add(point);
    const Point p = point.mean();
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j <= i; ++j) product[i][j] += point.sum[i] * p[j];
    }
  }
  void add(const Moments& other) {
    totals.add(other.totals);
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j <= i; ++j) product[i][j] += other.product[i][j];
    }
  }
};

Split best_split(const Moments& moments, std::size_t cluster, Kind kind) {
  // Cutting a normal distribution at its mean takes 2 / pi of the variance along the axis; what the neighbours then
  // gain, and what merged clusters lose less than their cost, is as much again. Measured on photographs.
  constexpr double kGain = 1.3;
  constexpr int kPowerIterations = 6;
  if (kind == Kind::transparent) return {cluster, 0, {}};
  const std::size_t dimensions = kind == Kind::opaque ? 3 : 4;
  const Point mean = moments.totals.mean();
  std::array<Point, 4> covariance{};
  for (std::size_t i = 0; i < dimensions; ++i) {
    for (std::size_t j = 0; j < dimensions; ++j) {
      covariance[i][j] = moments.product[std::max(i, j)][std::min(i, j)] / moments.totals.weight - mean[i] * mean[j];
    }
  }
  // The power method, from a direction that is nobody's eigenvector.
  Point axis = {0.6, 0.65, 0.55, 0.2};
  double variance = 0;
  for (int iteration = 0; iteration < kPowerIterations; ++iteration) {
    Point next{};
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) next[i] += covariance[i][j] * axis[j];
    }
    variance = std::sqrt(squared_distance(next, Point{}));
    if (!(variance > 1e-9)) return {cluster, 0, {}};
    for (std::size_t i = 0; i < 4; ++i) axis[i] = next[i] / variance;
  }
  Split split{cluster, kGain * variance * moments.totals.weight, {}};
  // The halves of a normal distribution have their means at sqrt(2 / pi) of its deviation.
  for (std::size_t i = 0; i < 4; ++i) split.step[i] = axis[i] * 0.8 * std::sqrt(variance);
  return split;
}

constexpr std::size_t kLanes = 4;
using Double4 = double __attribute__((vector_size(32)));
using Int4x64 = std::int64_t __attribute__((vector_size(32)));

// Clusters as columns, padded to whole vectors. Those that nobody may be merged with weigh nothing.
struct Columns {
  std::array<std::array<double, kMaxColors>, 4> at;
  std::array<double, kMaxColors> weight;
};

// The first of the clusters with which merging `own` costs least, and what it costs: infinity where there is none.
CHROMAPRESS_DISPATCH
std::pair<std::size_t, double> cheapest(const Columns& clusters, std::size_t count, const Point& centre, double weight,
                                        std::size_t own) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  Double4 least = Double4{} + kNone;
  Int4x64 place = {0, 1, 2, 3}, where = place;
  for (std::size_t i = 0; i < count; i += kLanes) {
    Double4 other, square{};
    std::memcpy(&other, &clusters.weight[i], sizeof other);
#pragma GCC unroll 4
    for (std::size_t d = 0; d < 4; ++d) {
      Double4 at;
      std::memcpy(&at, &clusters.at[d][i], sizeof at);
      square += (at - centre[d]) * (at - centre[d]);
    }
    const Double4 cost = weight * other / (weight + other) * square;
    const Int4x64 better = (cost < least) & (other > 0.0) & (place != static_cast<std::int64_t>(own));
    least = better ? cost : least;
    where = better ? place : where;
    place += static_cast<std::int64_t>(kLanes);
  }
  std::pair<std::size_t, double> best{0, kNone};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const auto i = static_cast<std::size_t>(where[lane]);
    if (least[lane] < best.second || (least[lane] == best.second && i < best.first)) best = {i, double{least[lane]}};
  }
  return best;
}

Columns columns_for(Kind kind, std::span<const Centre> centres, std::span<const Moments> moments) {
  Columns clusters{};
  for (std::size_t i = 0; i < centres.size(); ++i) {
    for (std::size_t d = 0; d < 4; ++d) clusters.at[d][i] = centres[i].at[d];
    clusters.weight[i] = may_become(kind, centres[i].kind) ? moments[i].totals.weight : 0;
  }
  return clusters;
}

struct Moves {
  std::vector<Split> splits;  // the greatest gain first
  std::vector<Merge> merges;  // the least cost first
};

Moves moves_of(std::span<const Centre> centres, std::span<const Moments> moments, std::size_t first, Team& team) {
  constexpr std::size_t kClustersPerPart = 32;
  const std::size_t count = centres.size() - first;
  std::array<std::optional<Columns>, kKinds> to_choose_from;  // for a cluster of each kind
  for (const Centre& centre : centres.subspan(first)) {
    auto& clusters = to_choose_from[static_cast<std::size_t>(centre.kind)];
    if (!clusters) clusters = columns_for(centre.kind, centres.subspan(first), moments.subspan(first));
  }
  std::vector<Moves> of_parts(std::max<std::size_t>(1, count / kClustersPerPart));
  team(of_parts.size(), [&](std::size_t part) {
    Moves moves;
    for (std::size_t j = count * part / of_parts.size(); j < count * (part + 1) / of_parts.size(); ++j) {
      const Centre& centre = centres[first + j];
      const double own = moments[first + j].totals.weight;
      if (!(own > 0)) {  // a cluster without boxes is free already
        moves.merges.push_back({first + j, first + j, 0});
        continue;
      }
      moves.splits.push_back(best_split(moments[first + j], first + j, centre.kind));
      const Columns& clusters = *to_choose_from[static_cast<std::size_t>(centre.kind)];
      const auto [i, cost] = cheapest(clusters, count, centre.at, own, j);
      if (cost < std::numeric_limits<double>::infinity()) moves.merges.push_back({first + i, first + j, cost});
    }
    of_parts[part] = std::move(moves);
  });
  Moves moves;
  for (const Moves& part : of_parts) {
    moves.splits.insert(moves.splits.end(), part.splits.begin(), part.splits.end());
    moves.merges.insert(moves.merges.end(), part.merges.begin(), part.merges.end());
  }
  std::stable_sort(moves.splits.begin(), moves.splits.end(),
                   [](const Split& a, const Split& b) { return a.gain > b.gain; });
  std::stable_sort(moves.merges.begin(), moves.merges.end(),
                   [](const Merge& a, const Merge& b) { return a.cost < b.cost; });
  return moves;
}

void apply(const Split& split, const Merge& merge, std::span<const Moments> moments, std::vector<Centre>& centres) {
  if (merge.into != merge.freed) {
    Totals together = moments[merge.into].totals;
    together.add(moments[merge.freed].totals);
    centres[merge.into].at = best_place(centres[merge.into].kind, together);
  }
  centres[merge.freed] = centres[split.cluster];
  for (std::size_t d = 0; d < 4; ++d) {
    centres[merge.freed].at[d] += split.step[d];
    centres[split.cluster].at[d] -= split.step[d];
  }
}

// Frees centres and puts them where they gain more; returns how many.
std::size_t swap_centres(std::vector<Centre>& centres, std::span<const Moments> moments, std::size_t first,
                         Team& team) {
  const auto [splits, merges] = moves_of(centres, moments, first, team);
  std::vector<bool> busy(centres.size(), false);
  const std::size_t limit = std::max<std::size_t>(1, centres.size() / 4);
  std::size_t done = 0;
  auto merge = merges.begin();
  for (const Split& split : splits) {
    const auto is_taken = [&](std::size_t j) { return busy[j] || j == split.cluster; };
    while (merge != merges.end() && (is_taken(merge->into) || is_taken(merge->freed))) ++merge;
    if (merge == merges.end() || done == limit || merge->cost >= split.gain) break;
    if (busy[split.cluster]) continue;
    busy[split.cluster] = busy[merge->into] = busy[merge->freed] = true;
    apply(split, *merge, moments, centres);
    ++done;
  }
  return done;
}

constexpr double kRelaxation = 1.9;

// Moves a centre by `factor` times the way to the mean of its colours. 1 is Lloyd's step; nearly 2 gets there in fewer.
void step(Centre& centre, const Totals& totals, double factor) {
  if (!(totals.weight > 0)) return;
  const Point best = best_place(centre.kind, totals);
  for (std::size_t d = 0; d < 4; ++d) centre.at[d] += factor * (best[d] - centre.at[d]);
}

// The sums of what is nearest to each centre, as if all colours that a point stands for were its mean.
template <typename Sums>
std::vector<Sums> sums_over(const Points& points, std::span<const Centre> centres, Team& team) {
  // Each part has sums of its own, which are added up: few beside the points.
  constexpr std::size_t kLeastPart = 512, kPointsPerSum = 4, kMostParts = 8;
  const std::size_t least = std::max(kLeastPart, kPointsPerSum * centres.size());
  const std::vector<GroupRange> parts = parts_of(points, std::clamp<std::size_t>(points.size() / least, 1, kMostParts));
  UnsetVector<std::uint8_t> labels(points.size());
  std::vector<std::vector<Sums>> sums(parts.size());
  team(parts.size(), [&](std::size_t part) {
    sums[part].resize(centres.size());
    if (parts[part].begin == parts[part].end) return;
    nearest_to_points(points, parts[part], centres, labels);
    const std::size_t end = points.groups[parts[part].end - 1].end;
    for (std::size_t i = points.groups[parts[part].begin].begin; i < end; ++i) {
      sums[part][labels[i]].add(points.totals[i]);
    }
  });
  for (std::size_t part = 1; part < sums.size(); ++part) {
    for (std::size_t j = 0; j < centres.size(); ++j) sums[0][j].add(sums[part][j]);
  }
  return std::move(sums[0]);
}

// A pass over points. Returns the totals that it found.
std::vector<Totals> pass_over(const Points& points, std::vector<Centre>& centres, std::size_t first, double factor,
                              Team& team) {
  std::vector<Totals> totals = sums_over<Totals>(points, centres, team);
  for (std::size_t j = first; j < centres.size(); ++j) step(centres[j], totals[j], factor);
  return totals;
}

// A pass of Lloyd over points, then swaps; returns how many.
std::size_t swap_over(const Points& points, std::vector<Centre>& centres, std::size_t first, Team& team) {
  const std::vector<Moments> moments = sums_over<Moments>(points, centres, team);
  for (std::size_t j = first; j < centres.size(); ++j) step(centres[j], moments[j].totals, 1);
  return swap_centres(centres, moments, first, team);
}

// Passes, and one of Lloyd; returns the squared error after them, up to what all centres have in common.
double settle(const Points& points, std::vector<Centre>& centres, std::size_t first, std::span<const double> passes,
              Team& team) {
  for (const double factor : passes) pass_over(points, centres, first, factor, team);
  const std::vector<Totals> totals = pass_over(points, centres, first, 1, team);
  double error = 0;
  for (std::size_t j = 0; j < centres.size(); ++j) {
    double dot = 0;
    for (std::size_t d = 0; d < 4; ++d) dot += centres[j].at[d] * totals[j].sum[d];
    error += totals[j].weight * squared_distance(centres[j].at, Point{}) - 2 * dot;
  }
  return error;
}

struct Swap {
  double gain;
  const Split* split;
  const Merge* merge;
};

// The `count` swaps that promise most.
std::vector<Swap> best_swaps(const Moves& moves, std::size_t count) {
  std::vector<Swap> swaps;
  // Of a split after these, the best swaps of `count` splits before it are better, but for two that its merge rules
  // out.
  const std::size_t splits = std::min(moves.splits.size(), count + 2);
  for (const Split& split : std::span(moves.splits).first(splits)) {
    for (const Merge& merge : moves.merges) {
      if (split.cluster == merge.into || split.cluster == merge.freed) continue;
      swaps.push_back({split.gain - merge.cost, &split, &merge});
    }
  }
  count = std::min(count, swaps.size());
  std::partial_sort(
      swaps.begin(), swaps.begin() + static_cast<std::ptrdiff_t>(count), swaps.end(), [](const Swap& a, const Swap& b) {
        return a.gain != b.gain ? a.gain > b.gain : std::tie(a.split, a.merge) < std::tie(b.split, b.merge);
      });
  swaps.resize(count);
  return swaps;
}

// Swaps one by one, each kept if it lowers the error over the points after some passes; those that promise most first.
void try_swaps(const Points& points, std::vector<Centre>& centres, std::size_t first, std::size_t trials,
               std::span<const double> passes, Team& team) {
  // With so many a thread they are shared out, else the passes are. Those after the first that helps count for nothing.
  constexpr std::size_t kTrialsPerThread = 4;
  if (trials == 0) return;
  double least = settle(points, centres, first, passes, team);
  while (trials > 0) {
    const std::vector<Moments> moments = sums_over<Moments>(points, centres, team);
    const Moves moves = moves_of(centres, moments, first, team);
    const std::vector<Swap> swaps = best_swaps(moves, trials);
    std::vector<double> errors(swaps.size());
    std::vector<std::vector<Centre>> moved(swaps.size());
    std::atomic<std::size_t> helps = swaps.size();  // the first that is known to
    const auto attempt = [&](std::size_t n) {
      if (n > helps) return;
      moved[n] = centres;
      apply(*swaps[n].split, *swaps[n].merge, moments, moved[n]);
      errors[n] = settle(points, moved[n], first, passes, team);
      if (errors[n] >= least) return;
      for (std::size_t known = helps; n < known && !helps.compare_exchange_weak(known, n);) continue;
    };
    if (swaps.size() >= kTrialsPerThread * team.size()) {
      std::atomic<std::size_t> next = 0;
      team(team.size(), [&](std::size_t) {  // one after the other, not in shares: those after one that helps are vain
        for (std::size_t n = next++; n < swaps.size(); n = next++) attempt(n);
      });
    } else {
      for (std::size_t n = 0; n < swaps.size(); ++n) attempt(n);
    }
    if (helps == swaps.size()) return;
    trials -= helps + 1;
    least = errors[helps];
    centres.swap(moved[helps]);
  }
}

void pass_over_colors(const BoxTree& tree, std::vector<Centre>& centres, std::size_t first, double factor) {
  const std::vector<Totals> totals = nearest_clusters(tree, centres).totals;
  for (std::size_t j = first; j < centres.size(); ++j) step(centres[j], totals[j], factor);
}

// With so many points to a centre, what they blur makes no difference, or little to the first rounds.
constexpr std::size_t kLeaves = 100, kHalves = 20, kLeavesAtFirst = 4, kClusters = 2;

}  // namespace

Refinement::Refinement(const BoxTree& tree, std::size_t most) : tree_(tree), leaves_(points_of_leaves(tree)) {
  if (leaves_.size() >= kLeaves * most) return;
  halves_ = points_of_halved_leaves(tree);
  if (halves_.size() < kHalves * most) colors_ = points_of_colors(tree);
}

const Points& Refinement::points_for(std::size_t k) const {
  if (leaves_.size() >= kLeaves * k) return leaves_;
  return halves_.size() >= kHalves * k ? halves_ : colors_;
}

std::size_t Refinement::trials_for(const Points& points, std::size_t k) const {
  // What costs little beside counting and mapping the pixels, and no more than ever helped.
  constexpr double kPixels = 2, kMost = 32;
  double pixels = 0;
  for (const Box& kind : tree_.kinds) pixels += kind.totals.weight;
  return static_cast<std::size_t>(std::min(kMost, pixels / (kPixels * static_cast<double>(points.size() * k))));
}

void Refinement::operator()(std::vector<Centre>& centres, std::size_t first) const {
  Team& team = *tree_.team;
  const Points& points = points_for(centres.size());
  const Points& at_first = leaves_.size() >= kLeavesAtFirst * centres.size() ? leaves_ : points;
  // Where a pass is cheap, swaps are looked for longer.
  for (int round = 0; round < (&points == &leaves_ ? 8 : 3); ++round) {
    pass_over(at_first, centres, first, 1, team);
    if (swap_over(at_first, centres, first, team) == 0) break;
  }
  for (int pass = 0; pass < 3; ++pass) pass_over(points, centres, first, kRelaxation, team);
  swap_over(points, centres, first, team);
  for (int pass = 0; pass < 2; ++pass) pass_over(points, centres, first, kRelaxation, team);
  try_swaps(points, centres, first, trials_for(points, centres.size()), std::array{1.0, kRelaxation, kRelaxation},
            team);
  for (const double factor : {kRelaxation, kRelaxation, 1.0}) pass_over_colors(tree_, centres, first, factor);
}

void Refinement::quick(std::vector<Centre>& centres, std::size_t first, const Points& coarse) const {
  // More trials take longer than they help.
  constexpr std::size_t kMostTrials = 32, kTrialsTimesCentres = 1024;
  const std::size_t k = centres.size();
  Team& team = *tree_.team;
  if (coarse.size() >= kClusters * k) {
    try_swaps(coarse, centres, first, std::min(kMostTrials, kTrialsTimesCentres / k), std::array{kRelaxation}, team);
    for (int pass = 0; pass < 2; ++pass) pass_over(coarse, centres, first, kRelaxation, team);
  }
  for (int pass = 0; pass < 2; ++pass) pass_over(points_for(k), centres, first, kRelaxation, team);
}

}  // namespace chromapress
