// Fewer centres from many: the two whose merger costs least become one, over and over (Ward, "Hierarchical grouping to
// optimize an objective function", 1963). From a fine clustering this gives better starts for few centres than cutting
// colours does, and one sequence of mergers serves any number of centres.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "nearest.hpp"

namespace chromapress {

class WardMerges {
 public:
  /// clusters: the colours of each centre. The first `fixed` centres are left alone.
  WardMerges(std::vector<Centre> centres, std::span<const Totals> clusters, std::size_t fixed);

  /// k of them, or as few as kinds allow: what is opaque or transparent stays so.
  [[nodiscard]] std::vector<Centre> centres(std::size_t k) const;

 private:
  struct Merger {
    std::size_t freed, into;  // places in `finest_`
    Point at;
  };
  std::vector<Centre> finest_;
  std::vector<Merger> mergers_;  // the cheapest first
};

}  // namespace chromapress
