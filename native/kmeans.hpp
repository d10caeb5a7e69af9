// Weighted K-means over the distinct colours of a histogram, which is K-means over the pixels.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "color.hpp"
#include "histogram.hpp"
#include "refine.hpp"
#include "wu.hpp"

namespace chromapress {

struct KMeansOptions {
  std::size_t k = kMaxColors;
  std::span<const Point> start;               // k centres in the clustering space, or empty: Wu's
  std::span<const Rgba> protected_colors;     // fixed centres, the first of the result
  ColorSpace space = ColorSpace::srgb;        // where distances are measured
  std::optional<std::size_t> max_iterations;  // none: 0 after the engine's own start, 20 after one that was given
  std::size_t threads = 1;                    // 0: as many as the processor has. The result does not depend on it
  double tolerance = 1e-4;                    // stop when the inertia falls by less than this times itself
};

struct Clustering {
  std::vector<Point> centres;        // in the clustering space
  std::vector<std::uint8_t> labels;  // one per colour of the histogram
  std::vector<std::int64_t> sizes;   // pixels in each cluster
  double inertia = 0;                // in `space`
  std::size_t iterations = 0;
};

/// Wu's start, refined, unless one is given; then exact Lloyd. Throws std::invalid_argument on options that make no
/// sense and where k centres cannot serve every kind of colour that occurs. Of an empty histogram: no clustering, also
/// an error.
Clustering kmeans(const HistogramView& view, const KMeansOptions& options);

/// The parts of kmeans(). What is given to the constructor must outlive it.
class KMeans {
 public:
  struct Result {
    std::vector<Centre> centres;
    Clusters clusters;
    std::size_t iterations = 0;
  };

  /// Throws as kmeans().
  KMeans(const HistogramView& view, const KMeansOptions& options);

  KMeans(const KMeans&) = delete;
  KMeans& operator=(const KMeans&) = delete;

  [[nodiscard]] const BoxTree& tree() const { return tree_; }
  [[nodiscard]] const HistogramView& histogram() const { return view_; }
  [[nodiscard]] const KMeansOptions& options() const { return options_; }
  [[nodiscard]] Result cluster() const;
  [[nodiscard]] Clustering clustering(const Result& result) const;

  /// As cluster(), for fewer centres: `coarse` are the clusters of a result, and `centres` some of its centres after
  /// mergers. The centres come back as the means of clusters that they were nearest to. Throws where they cannot serve
  /// every kind of colour that occurs.
  [[nodiscard]] Result cluster_quickly(std::vector<Centre> centres, const Points& coarse) const;

 private:
  [[nodiscard]] std::vector<Centre> start() const;
  [[nodiscard]] Clusters nearest(std::vector<Centre>& centres) const;

  HistogramView view_;
  KMeansOptions options_;
  BoxTree tree_;
  Histogram unprotected_;
  std::optional<Refinement> refinement_;  // unless there is a start
};

}  // namespace chromapress
