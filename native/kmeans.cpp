#include "kmeans.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "box_tree.hpp"
#include "nearest.hpp"
#include "parallel.hpp"

namespace chromapress {
namespace {

Centre centre_of(const Point& clustering_point, ColorSpace space) {
  return {to_space(clustering_point, space), kind_of(clustering_point), 0};
}

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

void check(const HistogramView& view, const KMeansOptions& options) {
  validate(view);
  require(!view.colors.empty(), "the histogram is empty");
  require(options.k >= 1 && options.k <= kMaxColors, "k must be from 1 to 256");
  require(options.protected_colors.size() <= options.k, "there are more protected colors than k");
  require(options.start.empty() || options.start.size() == options.k, "start must have k centres");
  require(options.tolerance >= 0, "tolerance must be at least 0");
  for (const Point& p : options.start) {
    for (const double v : p) require(v >= 0 && v <= 255, "start must lie within 0 to 255");
    require(std::max({p[0], p[1], p[2]}) <= p[3] * (1 + 1e-9), "start must be premultiplied: no channel above alpha");
  }
}

void check_kinds(const BoxTree& tree, std::span<const Centre> centres) {
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const auto will_do = [kind](const Centre& c) { return may_become(static_cast<Kind>(kind), c.kind); };
    require(!tree.has(static_cast<Kind>(kind)) || std::any_of(centres.begin(), centres.end(), will_do),
            "transparent and opaque colors that occur need a centre each: k or start has too few");
  }
}

// The histogram without the protected colours: what the other centres are for.
Histogram unprotected(const HistogramView& view, std::span<const Rgba> protected_colors) {
  Histogram rest;
  for (std::size_t i = 0; i < view.colors.size(); ++i) {
    if (std::find(protected_colors.begin(), protected_colors.end(), view.colors[i]) != protected_colors.end()) continue;
    rest.colors.push_back(view.colors[i]);
    rest.counts.push_back(view.counts[i]);
  }
  return rest;
}

std::size_t kinds_in(const HistogramView& histogram) {
  std::array<bool, kKinds> seen{};
  for (const Rgba c : histogram.colors) seen[static_cast<std::size_t>(kind_of(c))] = true;
  return static_cast<std::size_t>(std::count(seen.begin(), seen.end(), true));
}

std::size_t kinds_in(const BoxTree& tree) {
  std::size_t kinds = 0;
  for (std::size_t kind = 0; kind < kKinds; ++kind) kinds += tree.has(static_cast<Kind>(kind)) ? 1 : 0;
  return kinds;
}

void require_movable(std::size_t kinds, std::size_t movable) {
  require(kinds <= movable, "k is too small: transparent, translucent and opaque colors need a centre each");
}

// `weighted_square`: the sum of weight * |x|^2 over the colours.
double inertia_of(double weighted_square, std::span<const Centre> centres, std::span<const Totals> totals) {
  double inertia = weighted_square;
  for (std::size_t j = 0; j < centres.size(); ++j) {
    double dot = 0;
    for (std::size_t d = 0; d < 4; ++d) dot += centres[j].at[d] * totals[j].sum[d];
    inertia += totals[j].weight * squared_distance(centres[j].at, Point{}) - 2 * dot;
  }
  return std::max(inertia, 0.0);
}

// Moves each movable centre without colours onto the colour that adds most to the inertia (the first of equals in the
// histogram), counting those moved before. Returns whether any was moved; where no colour adds anything, none is.
bool reseed_empty(const BoxTree& tree, std::vector<Centre>& centres, std::span<const Totals> totals,
                  std::size_t fixed) {
  std::vector<std::size_t> empty;
  for (std::size_t j = fixed; j < centres.size(); ++j) {
    if (totals[j].weight == 0) empty.push_back(j);
  }
  if (empty.empty()) return false;
  const UnsetVector<std::uint8_t> labels = nearest_labels(tree, centres);
  std::vector<double> distance(tree.size());
  for (std::size_t i = 0; i < tree.size(); ++i) {
    distance[i] = squared_distance(tree.point(i), centres[labels[i]].at);
  }
  bool moved = false;
  for (const std::size_t j : empty) {
    std::size_t worst = 0;
    double most = 0;
    for (std::size_t i = 0; i < tree.size(); ++i) {
      const double cost = tree.weight[i] * distance[i];
      if (cost > most || (cost == most && cost > 0 && tree.order[i] < tree.order[worst])) {
        most = cost;
        worst = i;
      }
    }
    if (most == 0) break;
    const Point at = tree.point(worst);
    centres[j] = {at, kind_of(at), 0};
    moved = true;
    for (std::size_t i = 0; i < tree.size(); ++i) {
      if (may_become(kind_of(tree.point(i)), centres[j].kind)) {
        distance[i] = std::min(distance[i], squared_distance(tree.point(i), at));
      }
    }
  }
  return moved;
}

void move_to_means(std::vector<Centre>& centres, std::span<const Totals> totals, std::size_t fixed) {
  for (std::size_t j = fixed; j < centres.size(); ++j) {
    if (totals[j].weight > 0) centres[j].at = best_place(centres[j].kind, totals[j]);
  }
}

// Lloyd until the tolerance or the limit. Returns the iterations done.
std::size_t lloyd(const BoxTree& tree, std::vector<Centre>& centres, std::size_t fixed, std::size_t max_iterations,
                  double tolerance) {
  double previous = std::numeric_limits<double>::infinity(), weighted_square = 0;
  for (std::size_t i = 0; i < tree.size() && max_iterations > 0; ++i) {
    weighted_square += tree.weight[i] * squared_distance(tree.point(i), Point{});
  }
  std::size_t iterations = 0;
  while (iterations < max_iterations) {
    const std::vector<Totals> totals = nearest_clusters(tree, centres).totals;
    // Each reseeding takes inertia away, so that this ends.
    if (reseed_empty(tree, centres, totals, fixed)) continue;
    const double inertia = inertia_of(weighted_square, centres, totals);
    if (previous - inertia <= tolerance * inertia) break;
    previous = inertia;
    move_to_means(centres, totals, fixed);
    ++iterations;
  }
  return iterations;
}

}  // namespace

KMeans::KMeans(const HistogramView& view, const KMeansOptions& options) : view_(view), options_(options) {
  check(view, options);
  tree_ = build_box_tree(view, options.space, thread_count(options.threads));
  if (!options.protected_colors.empty()) unprotected_ = unprotected(view, options.protected_colors);
  if (options.start.empty()) refinement_.emplace(tree_, options.k);
}

// The protected colours, then the others: the rest of the histogram itself if it is small enough, the centres that were
// given, or Wu's.
std::vector<Centre> KMeans::start() const {
  std::vector<Centre> centres;
  const std::size_t fixed = options_.protected_colors.size(), movable = options_.k - fixed;
  for (const Rgba c : options_.protected_colors) centres.push_back(centre_of(premultiply(c), options_.space));
  const HistogramView rest = fixed == 0 ? view_ : HistogramView{unprotected_.colors, unprotected_.counts};
  if (rest.colors.size() <= movable) {
    for (const Rgba c : rest.colors) centres.push_back(centre_of(premultiply(c), options_.space));
  } else if (!options_.start.empty()) {
    for (const Point& p : options_.start.subspan(fixed)) centres.push_back(centre_of(p, options_.space));
  } else if (movable > 0) {
    require_movable(fixed == 0 ? kinds_in(tree_) : kinds_in(rest), movable);
    const std::vector<Centre> cut =
        fixed == 0 ? wu_centres(tree_, movable) : wu_centres(build_box_tree(rest, options_.space), movable);
    centres.insert(centres.end(), cut.begin(), cut.end());
  }
  check_kinds(tree_, centres);
  return centres;
}

Clusters KMeans::nearest(std::vector<Centre>& centres) const {
  Clusters clusters = nearest_clusters(tree_, centres);
  while (reseed_empty(tree_, centres, clusters.totals, options_.protected_colors.size())) {
    clusters = nearest_clusters(tree_, centres);
  }
  return clusters;
}

KMeans::Result KMeans::cluster() const {
  constexpr std::size_t kIterationsFromOwnStart = 0, kIterationsFromGivenStart = 20;
  const std::size_t fixed = options_.protected_colors.size();
  const bool own_start = options_.start.empty();
  Result result{.centres = start(), .clusters = {}, .iterations = 0};
  std::vector<Centre>& centres = result.centres;
  if (own_start && tree_.size() > centres.size() && centres.size() > fixed) (*refinement_)(centres, fixed);
  result.iterations =
      lloyd(tree_, centres, fixed,
            options_.max_iterations.value_or(own_start ? kIterationsFromOwnStart : kIterationsFromGivenStart),
            options_.tolerance);
  result.clusters = nearest(centres);
  return result;
}

KMeans::Result KMeans::cluster_quickly(std::vector<Centre> centres, const Points& coarse) const {
  const std::size_t fixed = options_.protected_colors.size();
  if (centres.size() > fixed) {
    require_movable(fixed == 0 ? kinds_in(tree_) : kinds_in({unprotected_.colors, unprotected_.counts}),
                    centres.size() - fixed);
  }
  check_kinds(tree_, centres);
  if (centres.size() > fixed) refinement_->quick(centres, fixed, coarse);
  Result result{.centres = std::move(centres), .clusters = {}, .iterations = 0};
  result.clusters = nearest(result.centres);
  move_to_means(result.centres, result.clusters.totals, fixed);
  return result;
}

Clustering KMeans::clustering(const Result& result) const {
  Clustering clustering{
      .centres = {}, .labels = std::vector<std::uint8_t>(tree_.size()), .sizes = {}, .iterations = result.iterations};
  const std::size_t parts = tree_.parts.size();
  std::vector<double> inertia(parts);
  (*tree_.team)(parts, [&](std::size_t part) {
    std::array<double, 4> sums{};  // several, which need not wait for each other
    for (std::size_t i = tree_.size() * part / parts; i < tree_.size() * (part + 1) / parts; ++i) {
      const std::uint8_t label = result.clusters.labels[i];
      clustering.labels[tree_.order[i]] = label;
      sums[i % 4] += tree_.weight[i] * squared_distance(tree_.point(i), result.centres[label].at);
    }
    inertia[part] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  });
  for (const double of_part : inertia) clustering.inertia += of_part;
  for (const Totals& t : result.clusters.totals) clustering.sizes.push_back(static_cast<std::int64_t>(t.weight));
  for (const Centre& c : result.centres) clustering.centres.push_back(from_space(c.at, options_.space));
  return clustering;
}

Clustering kmeans(const HistogramView& view, const KMeansOptions& options) {
  const KMeans one(view, options);
  return one.clustering(one.cluster());
}

}  // namespace chromapress
